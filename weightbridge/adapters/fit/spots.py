"""Places of a map that several taps read, each of them once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from weightbridge.model.tensors import Array

Places = tuple[Array, ...]
AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Spots:
    """Which places of which items are read.

    index: by row and tap, which of them; is_inside: of the map. held: which rows are held out.
    """

    items: Array
    places: Places
    index: Array
    is_inside: Array
    held: Array

    @property
    def taps(self) -> int:
        return int(self.index.shape[1])

    @property
    def middle(self) -> tuple[Array, Places]:
        """Items and places of the tap in the middle, by row."""
        at = self.index[:, self.taps // 2]
        return self.items[at], tuple(place[at] for place in self.places)

    def parts(self) -> Iterator[tuple[Array, Places]]:
        """Items and places, so many at once."""
        for start in range(0, len(self.items), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            yield self.items[part], tuple(place[part] for place in self.places)

    def beside(self, values: Array) -> Array:
        """(rows, taps, channels) of what there is at each place (places, channels); zeros outside."""
        return np.asarray(values[self.index] * self.is_inside[..., None])


def spots(items: Array, held: Array, taps: Sequence[tuple[Places, Array]], grid: tuple[int, ...]) -> Spots:
    """items, held: by row. taps: of each the places by row, and which are inside; grid: of the map."""
    shape = (int(items.max(initial=0)) + 1, *grid)
    flat = [np.ravel_multi_index((items, *places), shape) for places, _ in taps]
    once, index = np.unique(np.stack(flat, axis=1), return_inverse=True)
    which, *places = np.unravel_index(once, shape)
    inside = np.stack([is_inside for _, is_inside in taps], axis=1)
    return Spots(which, tuple(places), index.reshape(len(items), len(taps)), inside, held)
