"""The values of a verification: how it is set up, a probe, one comparison, a negative control."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from weightbridge.boundary.options import Evidence, Progress, silent
from weightbridge.formats.running import Runner
from weightbridge.model.tensors import Array

Status = Literal["equal", "differs", "non-finite", "zero-energy", "ill-conditioned"]
K = 8.0


@dataclass(frozen=True, slots=True)
class Control:
    """A model that must not pass; `build` is None where there is none to build, and `reason` says why."""

    name: str
    build: Callable[[], Runner] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """How to verify.

    precise: the reference rebuilt in float64; may raise RunError, then the floor comes from perturbation.
    precise_candidate: the candidate in float64, for a reference that cannot be rebuilt.
    nbytes: of the candidate's weights, for what is let go early where they are many.
    layers: matched layers (reference, candidate) whose activations are compared too, with `all_layers` always
    and else where outputs differ. hints: layers that are known to compute something else.
    substitutes: of the candidate, each with the reference's values in one layer where its own differ.
    is_one_layout: whether both models keep channels in the same place, so that no other layout is tried.
    """

    seed: int = 0
    evidence: Evidence = "standard"
    samples: Path | None = None
    precise: Callable[[], Runner] | None = None
    precise_candidate: Callable[[], Runner] | None = None
    nbytes: int = 0
    controls: tuple[Control, ...] = ()
    layers: tuple[tuple[str, str], ...] = ()
    all_layers: bool = True
    hints: tuple[str, ...] = ()
    progress: Progress = silent
    is_one_layout: bool = False
    substitutes: Callable[[Runner], tuple[Control, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """Inputs for one run, by the reference's input names and in its layout.

    core: it lies in the domain of nearly every model.
    """

    name: str
    feeds: Mapping[str, Array]
    core: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """One array of the reference against the candidate's, on one probe.

    All errors are relative to the reference's own energy. ratio: nrmse / floor; equal iff ratio <= limit.
    channel_ratio: the worst channel's (last axis), against that channel's energy.
    Where the target's own rounding was measured too, source_floor is the floor without it, target_noise its
    float32 run against its float64 run, and in_float64 how far the float64 runs of both are apart, in
    floors of the source.
    """

    name: str
    probe: str
    status: Status
    elements: int
    nrmse: float
    floor: float
    ratio: float
    limit: float
    max_abs: float = 0.0
    max_rel: float = 0.0
    worst_index: tuple[int, ...] = ()
    cosine: float = 1.0
    channel_ratio: float = 0.0
    worst_channel: int = 0
    source_floor: float | None = None
    target_noise: float | None = None
    in_float64: float | None = None

    @property
    def is_different(self) -> bool:
        """Whether the two are told apart: agreement that proves nothing is no difference."""
        return self.status in ("differs", "non-finite")

    def to_dict(self) -> dict[str, Any]:
        """JSON-like, rounded to the four digits that mean something; None for a number that is not finite."""
        numbers = {key: rounded(getattr(self, key)) for key in _NUMBERS}
        measured = {key: getattr(self, key) for key in _WHERE_MEASURED}
        return {
            "name": self.name,
            "probe": self.probe,
            "status": self.status,
            "passed": self.status == "equal",
            "elements": self.elements,
            "worst_index": list(self.worst_index),
            "worst_channel": self.worst_channel,
            **numbers,
            **{key: rounded(value) for key, value in measured.items() if value is not None},
        }


_NUMBERS = ("nrmse", "floor", "ratio", "limit", "max_abs", "max_rel", "cosine", "channel_ratio")
_WHERE_MEASURED = ("source_floor", "target_noise", "in_float64")


def rounded(value: float) -> float | None:
    """Four significant digits; None for NaN and infinities, which JSON does not have."""
    return float(f"{value:.4g}") if abs(value) < float("inf") else None
