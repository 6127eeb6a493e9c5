"""A fused layer whose output is cut into parts (query-key-value, gate-up): which features each part holds,
followed through views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

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
    """Features `start` to `stop` of each of `groups` equal groups of them; values: what holds them. parts:
    its own parts, if it has any.
    """

    groups: int
    start: int
    stop: int
    values: tuple[str, ...]
    parts: tuple["Run", ...] = ()


def divisions(site: Site, drafts: Sequence[Draft]) -> dict[int, tuple[Run, ...]]:
    """The parts of every draft whose output nothing reads as a whole."""
    found = {}
    for n, d in enumerate(drafts):
        width, kernel = int(d.attributes.get("units") or d.attributes.get("filters") or 0), d.slot("kernel")
        shape = site.shapes.get(d.outputs[0]) if d.outputs else None
        if d.op == "Conv" and kernel is not None and shape is None and d.nodes and d.outputs:
            shape = (None,) * len(kernel.constant.shape or ())  # the rank is all that is needed
        if d.op not in AXES or not 1 < width < WIDEST or kernel is None or shape is None or len(shape) < 2:
            continue
        axis = AXES[d.op] % len(shape)
        if shape[axis] in (width, None):
            start = Features.along(tuple(width if i == axis else n for i, n in enumerate(shape)), axis, width)
            runs = _Search(site, width).parts(d.outputs[0], start)
            found.update({n: runs} if runs else {})
    return found


@dataclass(frozen=True, slots=True)
class _Search:
    site: Site
    width: int

    def parts(self, value: str, features: Features) -> tuple[Run, ...]:
        """The parts of a value, () where something reads it whole or they do not make it up exactly."""
        held = features.numbers()
        pieces = self._pieces(value, features)
        if pieces is None or len(pieces) < 2 or sorted(n for key in pieces for n in key) != held.tolist():
            return ()
        runs = [
            self._run(key, values, pieces[key][values[0]])
            for key, values in ((k, tuple(v)) for k, v in pieces.items())
        ]
        return tuple(r for r in runs if r is not None) if None not in runs else ()

    def _run(self, key: tuple[int, ...], values: tuple[str, ...], features: Features) -> Run | None:
        found = _regular(np.array(key), self.width)
        return (
            None
            if found is None
            else replace(
                found, values=values, parts=self.parts(values[0], features) if len(values) == 1 else ()
            )
        )

    def _pieces(self, value: str, features: Features) -> dict[tuple[int, ...], dict[str, Features]] | None:
        """By the features they hold: the values that hold fewer than all. None where a node reads all of
        them.
        """
        found: dict[tuple[int, ...], dict[str, Features]] = {}
        waiting = [(value, features)]
        for _ in range(STEPS):
            if not waiting:
                return found
            here, held = waiting.pop()
            if here in self.site.net.outputs:
                return None
            for index in self.site.net.consumers.get(here, ()):
                made = self._after(self.site.net.nodes[index], index, here, held)
                if made is None:
                    return None
                for output, part in made.items():
                    if part.count() == held.count():
                        waiting.append((output, part))
                    else:
                        found.setdefault(tuple(part.numbers().tolist()), {})[output] = part
        return None

    def _after(self, node: Node, index: int, value: str, held: Features) -> Mapping[str, Features] | None:
        """The features in each output of a node; None where it mixes them with others."""
        site = self.site
        if node.op in ("Shape", "Size"):
            return {}
        if node.domain or not node.inputs or site.data(node, index) != (value,):
            return None
        if node.op in ELEMENTWISE:
            return {node.outputs[0]: held} if site.rank(node.outputs[0]) in (held.array.ndim, None) else None
        if node.inputs[0] != value:
            return None
        if node.op in CUTS:
            return cut(site, node, held)
        made = viewed(site, node, held)
        return None if made is None else {node.outputs[0]: made}


def _regular(numbers: np.ndarray, width: int) -> Run | None:
    """The run that these features are: the same stretch of each of several equal groups; None for anything
    else.
    """
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    groups = len(breaks) + 1
    if len(numbers) % groups or width % groups:
        return None
    length, period = len(numbers) // groups, width // groups
    start = int(numbers[0])
    expected = (np.arange(groups)[:, None] * period + start + np.arange(length)[None]).reshape(-1)
    return (
        Run(groups, start, start + length, ())
        if start + length <= period and np.array_equal(numbers, expected)
        else None
    )
