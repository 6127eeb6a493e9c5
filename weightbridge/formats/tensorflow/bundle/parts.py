"""Where the parts of a partitioned variable lie in the whole."""

from typing import NamedTuple

from weightbridge.errors import Corrupt
from weightbridge.formats.tensorflow.bundle.entries import DAMAGED, Entry
from weightbridge.formats.tensorflow.bundle.slices import WHOLE, Extent


class Place(NamedTuple):
    """The slices of the whole that a part fills, and the part's shape."""

    slices: tuple[slice, ...]
    shape: tuple[int, ...]


def place_of(entry: Entry, extents: tuple[Extent, ...], where: str) -> Place:
    """The place of a part. Raises Corrupt where it is not inside the variable."""
    if len(extents) != len(entry.shape):
        raise Corrupt(
            f"a part has {len(extents)} axes, the variable {len(entry.shape)}", where=where, fix=DAMAGED
        )
    slices, lengths = [], []
    for extent, size in zip(extents, entry.shape, strict=True):
        length = size if extent.length == WHOLE else extent.length
        end = extent.start + length
        if extent.start < 0 or length < 0 or end > size:
            raise Corrupt("a part reaches beyond the variable", where=where, fix=DAMAGED)
        slices.append(slice(extent.start, end))
        lengths.append(length)
    return Place(tuple(slices), tuple(lengths))
