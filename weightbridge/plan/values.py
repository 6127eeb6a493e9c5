"""The parts of a plan: one step per target tensor, unused source tensors, and questions."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from weightbridge.boundary.records import dataclass

Kind = Literal["copy", "transform", "adapt", "fresh", "keep"]
Contract = Literal["bitwise", "preserving", "lossy", "fresh", "untouched"]
Share = Literal["exact", "adapted", "fresh", "kept"]  # how a report counts steps
UnusedReason = Literal["declared", "optimizer", "state", "unexplained"]

SHARE_OF: Mapping[str, Share] = {
    "copy": "exact",
    "transform": "exact",
    "adapt": "adapted",
    "fresh": "fresh",
    "keep": "kept",
}


@dataclass(frozen=True, slots=True)
class Step:
    """How one target tensor gets its value.

    transform: an einops pattern (`o i h w -> h w i o`) or the name of a transform or adapter; "" for a
    plain copy.
    parameters: what the transform needs besides the arrays: JSON-like (axis lengths, index maps, epsilons).
    energy_kept: sum of squares kept of the source's, 1.0 where nothing is lost; None before values are read.
    """

    target: str
    sources: tuple[str, ...]
    kind: Kind
    contract: Contract
    shape: tuple[int, ...]
    size: int
    transform: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    confidence: float = 1.0
    evidence: tuple[str, ...] = ()
    runners_up: tuple[str, ...] = ()
    energy_kept: float | None = 1.0
    cost: str = ""


WRITTEN = frozenset({"copy", "transform", "adapt"})
FILLS = frozenset({"fill", "identity-kernel"})  # transforms that read nothing


def is_filled(step: Step) -> bool:
    """Whether a fresh tensor starts from a constant that the plan names, not from the target's own value."""
    return step.kind == "fresh" and step.transform in FILLS and not step.sources


def is_written(step: Step) -> bool:
    """Whether the step gives a value: from the source, or a constant for a fresh layer to start from."""
    return step.kind in WRITTEN or is_filled(step)


BY_DEPTH = "depth"  # evidence of a step that a depth map has chosen
FITTED = "fitted"  # the transform of a value that is computed from calibration inputs


@dataclass(frozen=True, slots=True)
class CutPair:
    """A target layer, and the source layer whose features it is to reproduce."""

    target: str
    source: str


@dataclass(frozen=True, slots=True)
class Fit:
    """How the fitted steps of a plan get their values: they are computed again from the same inputs.

    inputs: SHA-256 of the calibration inputs. cuts: what stands for what, from the first layers to the last.
    way: how the cuts were chosen. score: R2 of the source's logits on held-out inputs, by a fit on some of
    the inputs. tried: the scores of all ways. control: the score of the best start without the source.
    """

    inputs: str
    cuts: tuple[CutPair, ...]
    way: str = ""
    score: float | None = None
    tried: Mapping[str, float | None] = field(default_factory=dict)
    control: float | None = None


@dataclass(frozen=True, slots=True)
class Unused:
    """A source tensor that no step uses, and why."""

    source: str
    reason: UnusedReason


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a question: the sources that it means for each target tensor.

    label: the letter to answer with.
    """

    label: str
    sources: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Question:
    """What names cannot tell.

    chosen: the answer that the plan has now; answer: a person's, "" where there is none yet.
    """

    ask: str
    chosen: str
    choices: tuple[Choice, ...]
    answer: str = ""
