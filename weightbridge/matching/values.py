"""What matching finds: pairs of layers, and which source tensors give each target tensor."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding
from weightbridge.matching.confidence import CERTAIN, is_claimed


@dataclass(frozen=True, slots=True)
class LayerPair:
    """A source layer and the target layer it corresponds to (their tensors may still differ in shape).

    evidence: of `map`, `name`, `suffix`, `structure`, `order`, `shape`, strongest first.
    runners_up: other source layers that fit as well by what is known.
    """

    source: str
    target: str
    confidence: float
    evidence: tuple[str, ...]
    runners_up: tuple[str, ...] = ()

    @property
    def is_claimed(self) -> bool:
        """Whether the pair is sure enough not to name what else would fit."""
        return is_claimed(self.confidence)


@dataclass(frozen=True, slots=True)
class Match:
    """One target tensor and where its value comes from, exactly: a copy or a reversible transform.

    transform: "" (copy), an einops pattern, or a named transform of `weightbridge.transforms`.
    """

    target: str
    sources: tuple[str, ...]
    transform: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    preserving: bool = False
    confidence: float = CERTAIN
    evidence: tuple[str, ...] = ()
    runners_up: tuple[str, ...] = ()

    @property
    def is_claimed(self) -> bool:
        """Whether the match is sure enough not to name what else would fit."""
        return is_claimed(self.confidence)


@dataclass(frozen=True, slots=True)
class NormOwner:
    """The layer whose output a BatchNorm normalises.

    layer: a unit of the norm's own side, "" where the norm stands before one instead.
    counterpart: the norm of the other side that stands at the same place, "" where that side has none.
    """

    layer: str
    counterpart: str
    confidence: float


@dataclass(frozen=True, slots=True)
class NormOwners:
    """For each side, the owners of its BatchNorms that no pair has, by the unit's name."""

    source: Mapping[str, NormOwner] = field(default_factory=dict)
    target: Mapping[str, NormOwner] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matching:
    """All that matching found.

    misfits: pairs of tensor names (source, target) of matched layers whose shapes no exact transform joins.
    refused: target layers that no weights of their counterpart serve (another variant of the function): no
    adapter may fill them.
    """

    pairs: tuple[LayerPair, ...]
    matches: tuple[Match, ...]
    misfits: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    refused: frozenset[str] = frozenset()
