"""Scales: parts of an output whose numbers are so small that the rest of it would hide a fault in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from weightbridge.model.tensors import Array
from weightbridge.verify.floor import Expected
from weightbridge.verify.outputs import EDGE

APART = 2.0**7  # of root mean squares: below, a fault of one percent is still seen in the whole
FEWEST = 2.0**-24  # of the whole: smaller numbers than float32 tells apart


@dataclass(frozen=True, slots=True)
class Part:
    """Some places along one axis of an output, whose numbers are of one scale.

    shape: of the whole at the first probe.
    """

    output: str
    axis: int
    places: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """`boxes [axis 2: 4-83]`"""
        return f"{self.output} [axis {self.axis}: {', '.join(_runs(self.places))}]"

    def of(self, whole: Array) -> Array | None:
        """None where another size of the inputs gives the axis another length."""
        shape = (len(whole), *self.shape[1:]) if whole.ndim else whole.shape
        if whole.ndim != len(self.shape) and whole.size == np.prod(shape):
            whole = whole.reshape(shape)
        if whole.ndim != len(self.shape) or whole.shape[self.axis] != self.shape[self.axis]:
            return None
        return np.take(whole, self.places, self.axis)


def parts_of(outputs: Mapping[str, Array]) -> tuple[Part, ...]:
    """Boxes in pixels beside scores, say: each is compared by itself, beside the whole."""
    return tuple(part for name, array in outputs.items() for part in _parts(name, np.asarray(array)))


def of_probabilities(one: Expected, parts: Sequence[Part]) -> Expected:
    """Parts of numbers from 0 to 1 with no lower noise than half a unit in the last place of 1.

    Runtimes compute a sigmoid to no more than that, and behind a Concatenate none is seen.
    """
    shown = {part.name: one.values[part.name] for part in parts if part.name in one.floors}
    scales = {name: float(np.sqrt(np.mean(np.square(array)))) for name, array in shown.items()}
    coarse = {
        name: max(one.floors[name], EDGE / scales[name])
        for name, array in shown.items()
        if scales[name] and array.min() >= 0 and array.max() <= 1
    }
    return replace(one, floors={**one.floors, **coarse})


def with_parts(outputs: Mapping[str, Array], parts: Sequence[Part]) -> dict[str, Array]:
    """The outputs, and each of their parts by its name."""
    cut = ((part.name, part.of(outputs[part.output])) for part in parts if part.output in outputs)
    return {**outputs, **{name: array for name, array in cut if array is not None}}


def _parts(name: str, array: Array) -> Iterator[Part]:
    if array.dtype.kind != "f" or array.ndim < 2 or not np.isfinite(array).all():
        return
    sizes = {axis: _scales(array, axis) for axis in range(1, array.ndim)}
    axis = max(sizes, key=lambda axis: (_range(sizes[axis]), axis))
    groups = _groups(sizes[axis])
    if len(groups) > 1:
        yield from (Part(name, axis, group, array.shape) for group in groups)


def _scales(array: Array, axis: int) -> Array:
    """The root mean square at each place of an axis."""
    squares = np.square(array.astype(np.float64))
    others = tuple(i for i in range(array.ndim) if i != axis)
    return np.asarray(np.sqrt(squares.mean(axis=others)))


def _range(scales: Array) -> float:
    told = scales[scales > FEWEST * scales.max(initial=0.0)]
    return float(told.max() / told.min()) if told.size else 1.0


def _groups(scales: Array) -> list[tuple[int, ...]]:
    """The places by their size, the largest first; what is nothing beside the largest goes to the last."""
    groups: list[list[int]] = []
    largest = 0.0
    for place in np.argsort(-scales, kind="stable"):
        if not groups or (scales[place] * APART < largest and scales[place] > FEWEST * scales.max()):
            groups.append([])
            largest = float(scales[place])
        groups[-1].append(int(place))
    return [tuple(sorted(group)) for group in groups]


def _runs(places: Sequence[int]) -> Iterator[str]:
    """0, 4, 5, 6 -> `0`, `4-6`"""
    breaks = np.flatnonzero(np.diff(places) > 1) + 1
    for run in np.split(np.asarray(places), breaks):
        yield f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}"
