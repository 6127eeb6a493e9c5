"""Blocks of pixels and channels that change places: DepthToSpace (PixelShuffle) and SpaceToDepth.

They change the source's view of a value alone; what follows brings the axes about.
"""

from collections.abc import Mapping

from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.cutting import reshaped
from weightbridge.converting.from_graph.layout import Layout, Length, times, transposed
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

# the axes behind a cut, as the result has them: batch, channels, height, width
DCR, CRD, TO_DEPTH = (0, 3, 4, 1, 5, 2), (0, 1, 4, 2, 5, 3), (0, 3, 5, 1, 2, 4)


def _depth_to_space(call: Call) -> Value:
    size, shape = _size(call), _shape(call)
    channels = None if shape[1] is None else shape[1] // (size * size)
    is_first = call.settings.get("mode", "DCR") == "DCR"
    inner = (size, size, channels) if is_first else (channels, size, size)
    cut = _cut(call.first.layout, (None, *inner, shape[2], shape[3]))
    turned = transposed(cut, DCR if is_first else CRD)
    return call.first.seen(_cut(turned, (None, channels, *(times(n, size) for n in shape[2:]))))


def _space_to_depth(call: Call) -> Value:
    size, shape = _size(call), _shape(call)
    less = [None if n is None else n // size for n in shape[2:]]
    cut = _cut(call.first.layout, (None, shape[1], less[0], size, less[1], size))
    turned = transposed(cut, TO_DEPTH)
    return call.first.seen(_cut(turned, (None, times(shape[1], size * size), *less)))


def _size(call: Call) -> int:
    size = int(call.settings["blocksize"])
    if size < 1:
        raise Unsupported(f"moves blocks of the size {size}")
    return size


def _shape(call: Call) -> tuple[Length, ...]:
    shape = call.first.layout.source_shape
    if len(shape) != 4 or None in shape[1:]:
        raise Unsupported("moves blocks of an image whose size or channels are not known")
    return shape


def _cut(layout: Layout, shape: tuple[Length, ...]) -> Layout:
    cut = reshaped(layout, shape)
    if cut is None:
        raise Unsupported(f"moves blocks of an image whose axes are not known: {layout.source_shape}")
    return cut


CLASSES: Mapping[str, Builder] = {"DepthToSpace": _depth_to_space, "SpaceToDepth": _space_to_depth}
