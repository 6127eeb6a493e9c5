"""Options of a command, by the same names in the library and on the command line."""

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from weightbridge.boundary.records import dataclass

if TYPE_CHECKING:
    from weightbridge.plan import Plan

Adapt = Literal["none", "same", "weights", "fit"]
Depth = Literal["identity", "last", "stack", "interlace"]
FailOn = Literal["error", "warning", "never"]
Evidence = Literal["quick", "standard", "full"]
BaselineMode = Literal["shrink", "keep", "off"]
PolicySeverity = Literal["error", "warning", "note", "off"]
Engine = Literal["own", "tf2onnx"]
InputLayout = Literal["nhwc", "nchw"]
DEFAULT_OPSET, OLDEST_OPSET, NEWEST_OPSET = 17, 13, 23  # of the ONNX files that convert writes
Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Options:
    """map, fresh and unused hold globs over tensor names; `map` pairs are (source, target).

    explicit: names of the fields that the user gave, and a policy file does not change.
    min_coverage, min_exact: of the target's parameters, what is exact; min_filled: with what is adapted and
    declared fresh. severities: by code, as the policy file says; None before it is read.
    baseline: the accepted findings, which are those of `pair`, the name of these two models; pairs: names by
    the paths of both. architecture: where a file of weights alone has its architecture.
    input_shape: of each input of a torch module that comes without an example.
    engine, input_layout, opset: of an ONNX file that is written; None for the usual ones.
    calibrate: the path of an `.npz` of inputs, or from Python the arrays themselves.
    hashes: whether the report is read for the SHA-256 of files and tensors, which JSON alone shows.
    depth: what blocks that one side alone has start as, or which are left out.
    max_examples: how many places a text names of one code.
    """

    map: tuple[tuple[str, str], ...] = ()
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    adapt: Adapt = "same"
    min_coverage: float = 0.0
    min_exact: float = 0.0
    min_filled: float = 0.0
    plan: "Plan | Path | None" = None
    rules: tuple[Path, ...] = ()
    policy: Path | None = None
    baseline: Path | None = None
    baseline_mode: BaselineMode = "keep"
    pair: str = ""
    pairs: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    max_examples: int | None = None
    fail_on: FailOn = "error"
    evidence: Evidence = "standard"
    probe: Path | None = None
    calibrate: Any = None
    disambiguate: bool = False
    depth: Depth = "identity"
    map_words: bool = False
    dequantize: bool = False
    verify: bool = True
    overwrite: bool = False
    hashes: bool = True
    architecture: Path | None = None
    engine: Engine | None = None
    input_layout: InputLayout | None = None
    opset: int | None = None
    input_shape: tuple[tuple[int, ...], ...] = ()
    source_arguments: Mapping[str, Any] = field(default_factory=dict)
    target_arguments: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = silent
    explicit: frozenset[str] = frozenset()
    severities: Mapping[str, PolicySeverity] | None = None
