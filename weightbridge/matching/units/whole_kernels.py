"""Layers that are one function in two forms: a dense layer behind a flattened map and a convolution over all
of
it, a separable convolution and the plain one that it amounts to.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from math import prod

from weightbridge.matching.units.flattening import flattened_input
from weightbridge.matching.units.unit_names import DEPTHWISE, UnitName
from weightbridge.matching.units.units import Reduced, Unit, bridged
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import length_of, split
from weightbridge.model.vocabulary import DENSE

SPACE = "dhw"
Kernel = tuple[tuple[int, ...] | None, int]  # the lengths of its space, None if unknown, and its elements


def with_whole_kernels(source: Reduced, target: Reduced) -> tuple[Reduced, Reduced]:
    """Both sides, with such layers as units of one family."""
    one = _joined_separables(source, target)
    other = _as_linear(target, one)
    return _as_linear(one, target), other


def space_of(kernel_layer: Layer) -> tuple[int, ...]:
    """The lengths of a convolution's kernel in space, in the order d h w."""
    kernel = kernel_layer.tensor("kernel")
    names = split(kernel.axes) if kernel is not None else ()
    return tuple(kernel.shape[names.index(x)] for x in SPACE if kernel is not None and x in names)


def _as_linear(one: Reduced, other: Reduced) -> Reduced:
    """Convolutions that read as much as a dense layer of the other side reads behind a Flatten."""
    dense = [unit for unit in other.units if unit.layer.op in DENSE and unit.family == "Linear"]
    if not dense or not any(map(_may_read_all, one.units)):
        return one
    read = {_flattened(other, unit) for unit in dense}
    wanted = {k for k in _further_kernels(one, other) if not read.isdisjoint((k, (None, k[1])))}
    return replace(one, units=tuple(_linear(unit, wanted) for unit in one.units)) if wanted else one


def _further_kernels(one: Reduced, other: Reduced) -> Iterator[Kernel]:
    """Kernels of which this side has more convolutions than the other."""
    plain = Counter(_kernel(unit) for unit in other.units if unit.family == "Conv")
    convolutions = Counter(_kernel(unit) for unit in one.units if _may_read_all(unit))
    yield from (kernel for kernel, count in convolutions.items() if count > plain[kernel])


def _linear(unit: Unit, wanted: Collection[Kernel]) -> Unit:
    is_wanted = _may_read_all(unit) and _kernel(unit) in wanted
    return replace(unit, family="Linear") if is_wanted else unit


def _may_read_all(unit: Unit) -> bool:
    """A convolution of several taps that pads nothing."""
    if unit.family != "Conv" or unit.layer.op != "Conv":
        return False
    padding = unit.layer.attributes.get("padding", ())
    return not isinstance(padding, str) and not any(map(any, padding)) and prod(space_of(unit.layer)) > 1


def _kernel(unit: Unit) -> Kernel:
    return space_of(unit.layer), unit.size


def _flattened(reduced: Reduced, dense: Unit) -> Kernel | None:
    """As a kernel, the map that a dense layer reads; of unknown space in a file without data flow."""
    if not reduced.graph.has_flow:
        return None, dense.size
    found = flattened_input(reduced.graph, dense.layer)
    return (found.space, dense.size) if found is not None and prod(found.space) > 1 else None


def _joined_separables(one: Reduced, other: Reduced) -> Reduced:
    """Separable convolutions of which the other side has the plain one, and not the half by channel."""
    plain = Counter(unit.size for unit in other.units if unit.family == "Conv")
    by_channel = {unit.size for unit in other.units if unit.family == "DepthwiseConv"}
    joined: dict[str, Unit] = {}
    for unit, half in _separables(one):
        depth = half.roles["kernel"]
        size = prod(depth.shape[:-2]) * depth.shape[-2] * (length_of(unit.roles["kernel"], "o") or 0)
        if plain[size] and depth.size not in by_channel:
            roles = (*unit.tensors, ("depthwise_kernel", depth))
            joined[unit.name] = replace(unit, family="Conv", size=size, tensors=roles)
    gone = frozenset(str(UnitName(name, DEPTHWISE)) for name in joined)
    kept = bridged(one, gone)
    return replace(kept, units=tuple(joined.get(unit.name, unit) for unit in kept.units)) if joined else one


def _separables(reduced: Reduced) -> Iterator[tuple[Unit, Unit]]:
    """Each separable convolution: its half by point, and its half by channel."""
    for unit in reduced.units:
        half = reduced.by_name.get(str(UnitName(unit.name, DEPTHWISE)))
        if half is not None and unit.layer.op == "SeparableConv":
            yield unit, half
