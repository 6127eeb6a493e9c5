"""A fused layer whose output is cut into parts (query-key-value, gate-up), followed through views."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Draft, Site
from weightbridge.formats.onnx.groups.feature_positions import Features, cut, viewed
from weightbridge.formats.onnx.proto import Node

AXES = {"Dense": -1, "Conv": 1}  # of the features among those of the layer's output
ELEMENTWISE = frozenset(
    {"Add", "Sub", "Mul", "Div", "Relu", "Sigmoid", "Tanh", "Gelu", "Cast", "Identity", "Dropout"}
)
CUTS = frozenset({"Slice", "Gather", "Split"})
STEPS = 64  # nodes that may stand between a layer and its parts
WIDEST = 1 << 18  # features that are followed


@dataclass(frozen=True, slots=True)
class Run:
    """Features `start` to `stop` of each of `groups` equal groups.

    values: what holds them. parts: its own parts, if it has any.
    """

    groups: int
    start: int
    stop: int
    values: tuple[str, ...]
    parts: tuple["Run", ...] = ()


def divisions(site: Site, drafts: Sequence[Draft]) -> dict[int, tuple[Run, ...]]:
    """The parts of every draft whose output nothing reads as a whole."""
    runs_by_draft: dict[int, tuple[Run, ...]] = {}
    for n, draft in enumerate(drafts):
        width = int(draft.attributes.get("units") or draft.attributes.get("filters") or 0)
        if draft.op not in AXES or not 1 < width < WIDEST or not draft.outputs:
            continue
        features = _output_features(site, draft, width)
        runs = () if features is None else _Search(site, width).parts(draft.outputs[0], features)
        if runs:
            runs_by_draft[n] = runs
    return runs_by_draft


def _output_features(site: Site, draft: Draft, width: int) -> Features | None:
    """All features of a layer along their axis; None where its output's shape is not known or is another."""
    kernel, shape = draft.slot("kernel"), site.shapes.get(draft.outputs[0])
    if kernel is None:
        return None
    if shape is None and draft.op == "Conv" and draft.nodes:
        shape = (None,) * len(kernel.constant.shape or ())  # the rank is all that is needed
    if shape is None or len(shape) < 2:
        return None
    axis = AXES[draft.op] % len(shape)
    if shape[axis] not in (width, None):
        return None
    return Features.along((*shape[:axis], width, *shape[axis + 1 :]), axis, width)


_Pieces = dict[tuple[int, ...], dict[str, Features]]  # by the features they hold: values


@dataclass(frozen=True, slots=True)
class _Search:
    site: Site
    width: int

    def parts(self, value: str, features: Features) -> tuple[Run, ...]:
        """The parts of a value, () where something reads it whole or they do not make it up exactly."""
        pieces = self._pieces(value, features)
        if pieces is None or len(pieces) < 2:
            return ()
        held = sorted(number for numbers in pieces for number in numbers)
        if held != features.numbers().tolist():
            return ()
        runs = [self._run(numbers, values) for numbers, values in pieces.items()]
        known = tuple(run for run in runs if run is not None)
        return known if len(known) == len(runs) else ()

    def _run(self, numbers: tuple[int, ...], values: Mapping[str, Features]) -> Run | None:
        run = _regular(np.array(numbers), self.width)
        if run is None:
            return None
        first, features = next(iter(values.items()))
        parts = self.parts(first, features) if len(values) == 1 else ()
        return replace(run, values=tuple(values), parts=parts)

    def _pieces(self, value: str, features: Features) -> _Pieces | None:
        """The values that hold fewer than all features; None where a node reads all of them."""
        pieces: _Pieces = {}
        waiting = [(value, features)]
        for _ in range(STEPS):
            if not waiting:
                return pieces
            outputs = self._outputs(*waiting.pop())
            if outputs is None:
                return None
            waiting += [(output, part) for output, part in outputs if part.count() == features.count()]
            _add_pieces(pieces, outputs, features.count())
        return None

    def _outputs(self, value: str, features: Features) -> list[tuple[str, Features]] | None:
        """What the readers of a value make of it; None where one of them mixes its features."""
        net = self.site.net
        if net.is_output(value):
            return None
        outputs: list[tuple[str, Features]] = []
        for index in net.consumers.get(value, ()):
            after = self._after(net.nodes[index], index, value, features)
            if after is None:
                return None
            outputs += after.items()
        return outputs

    def _after(self, node: Node, index: int, value: str, features: Features) -> Mapping[str, Features] | None:
        """The features in each output of a node; None where it mixes them with others."""
        if node.op in ("Shape", "Size"):
            return {}
        if node.domain or not node.inputs or not node.outputs or self.site.data(node, index) != (value,):
            return None
        if node.op in ELEMENTWISE:
            keeps_rank = self.site.rank(node.outputs[0]) in (features.array.ndim, None)
            return {node.outputs[0]: features} if keeps_rank else None
        if node.inputs[0] != value:
            return None
        if node.op in CUTS:
            return cut(self.site, node, features)
        view = viewed(self.site, node, features)
        return None if view is None else {node.outputs[0]: view}


def _add_pieces(pieces: _Pieces, outputs: Sequence[tuple[str, Features]], whole: int) -> None:
    for output, part in outputs:
        if part.count() != whole:
            numbers = tuple(part.numbers().tolist())
            pieces.setdefault(numbers, {})[output] = part


def _regular(numbers: np.ndarray, width: int) -> Run | None:
    """The same stretch of each of several equal groups; None where the features are anything else."""
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    groups = len(breaks) + 1
    if len(numbers) % groups or width % groups:
        return None
    length, period = len(numbers) // groups, width // groups
    start = int(numbers[0])
    stop = start + length
    group_starts = np.arange(groups)[:, None] * period
    expected = (group_starts + np.arange(start, stop)).reshape(-1)
    is_regular = stop <= period and np.array_equal(numbers, expected)
    return Run(groups, start, stop, ()) if is_regular else None
