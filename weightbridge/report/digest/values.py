"""The digest of a report: what a reader has to know, counted, grouped and folded once for all renderers."""

from collections.abc import Mapping
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Severity
from weightbridge.plan.values import Share

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One side. kind: its format and what wrote it."""

    side: str
    path: str
    kind: str
    layers: int
    tensors: int
    parameters: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The target's parameters that get their value in one way. fraction: of all; meaning: in a few words."""

    share: Share
    fraction: float
    parameters: int
    tensors: int
    of_tensors: int
    meaning: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """The convolutions of one stage of the target, and the stages of the source they start from."""

    stage: str
    layers: int
    first: str
    last: str
    source_layers: int
    source_at: tuple[str, ...]
    parameters: int
    contract: str
    energy_kept: float | None


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A target layer, or a run of them, with its source layers and how it gets its values."""

    target: str
    sources: tuple[str, ...]
    how: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class DepthRow:
    """Neighbouring layers by depth. ratio, limit: of the worst of them, in units of the noise floor."""

    layers: int
    first: str
    last: str
    ratio: float | None
    limit: float | None
    differ: int
    max_abs: float | None


@dataclass(frozen=True, slots=True)
class Depth:
    """Error against depth: before the first layer that differs, that layer, and behind it.

    ratios: of every layer that was compared, in order; place: of the first that differs, from 1.
    """

    before: DepthRow | None
    first: DepthRow
    behind: DepthRow | None
    place: int
    layers: int
    ratios: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a group. details: lines below its head, or beside it where there is room."""

    head: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one code. text: the fact, with its numbers; entries: where, the first of `count`.

    listed: short words for one line, such as counts by name. fix: what to do, where it is one thing.
    findings: those of the report that it stands for.
    """

    code: str
    name: str
    severity: Severity
    text: str
    findings: tuple[Json, ...]
    entries: tuple[Entry, ...] = ()
    listed: tuple[str, ...] = ()
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """What to do next: a purpose and the whole command, as the arguments of a shell."""

    purpose: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """A report in short.

    counts: of findings by severity; why: one sentence for the verdict; asked: the options that were given.
    used: what became of the source's tensors; proven: what was run and compared, a sentence each.
    wrote: the file that was written, `nothing`, or "" where the command writes none.
    baseline: what it accepts, in a few words; "" where there is none.
    """

    command: str
    verdict: str
    exit_code: int
    counts: Mapping[Severity, int]
    why: str
    models: tuple[ModelRow, ...]
    asked: tuple[str, ...]
    ledger: tuple[LedgerRow, ...]
    used: str
    proven: tuple[str, ...]
    wrote: str
    baseline: str
    stages: tuple[StageRow, ...]
    layers: tuple[LayerRow, ...]
    depth: Depth | None
    groups: tuple[Group, ...]
    ways: tuple[Way, ...]
    tensors: int
