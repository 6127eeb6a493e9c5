"""The units of one layer: one for most, several where exporters write it as several nodes."""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.matching.units.fused_parts import Part
from weightbridge.matching.units.unit_names import (
    ATTENTION,
    BACKWARD,
    DEPTHWISE,
    DIRECTIONS,
    FORWARD,
    FUSED_PART,
    UnitName,
)
from weightbridge.matching.units.units import (
    Unit,
    family,
    main_size,
)
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import DENSE, MERGES


def units_of(layer: Layer, feeding: Sequence[str]) -> tuple[Unit, ...]:
    if layer.op == "SeparableConv" and layer.tensor("depthwise_kernel") and layer.tensor("pointwise_kernel"):
        return _halves(layer)
    if layer.tensors:
        return _weighted(layer, feeding)
    sources = set(feeding) if layer.op == "Concat" else feeding
    is_merge = layer.op in MERGES and len(sources) > 1
    return (Unit(layer.name, layer.op, 0, (layer,)),) if is_merge else ()


def _weighted(layer: Layer, feeding: Sequence[str]) -> tuple[Unit, ...]:
    """The unit of a layer with tensors, after an attention where a dense layer joins three values."""
    tensors = tuple((tensor.role, tensor) for tensor in layer.tensors)
    unit = Unit(layer.name, family(layer), main_size(layer), (layer,), tensors)
    if layer.op not in DENSE or len(feeding) <= 2:
        return (unit,)
    return (Unit(str(UnitName(layer.name, ATTENTION)), "Attention", 0, (layer,)), unit)


def _halves(layer: Layer) -> tuple[Unit, ...]:
    """A separable convolution as the depthwise and the pointwise one that exporters write."""
    depth = next(t for t in layer.tensors if t.role == "depthwise_kernel")
    rest = tuple(
        ("kernel" if t.role == "pointwise_kernel" else t.role, t) for t in layer.tensors if t is not depth
    )
    point = next(t for role, t in rest if role == "kernel")
    return (
        Unit(
            str(UnitName(layer.name, DEPTHWISE)), "DepthwiseConv", depth.size, (layer,), (("kernel", depth),)
        ),
        Unit(layer.name, "Linear", point.size, (layer,), rest),
    )


def direction_units(layer: Layer) -> tuple[Unit, Unit, Unit]:
    """Both directions of a bidirectional layer and what joins their outputs, as formats write them that keep
    two layers.
    """
    tensors = tuple((t.role, t) for t in layer.tensors)
    one, two = (
        Unit(str(UnitName(layer.name, side)), family(layer), main_size(layer) // 2, (layer,), tensors)
        for side in (FORWARD, BACKWARD)
    )
    return one, two, Unit(str(UnitName(layer.name, DIRECTIONS)), "Concat", 0, (layer,))


def part_units(layer: Layer, parts: Sequence[Part]) -> tuple[Unit, ...]:
    whole = units_of(layer, ("",))[0]
    sizes = (whole.size * p.length // p.width for p in parts)
    return tuple(
        replace(whole, name=str(UnitName(layer.name, f"{FUSED_PART}{i}")), size=n, part=p)
        for i, (p, n) in enumerate(zip(parts, sizes, strict=True))
    )


def extended(unit: Unit, layer: Layer) -> Unit:
    tensors = (*unit.tensors, *((f"{t.role}{len(unit.members)}", t) for t in layer.tensors))
    return replace(unit, members=(*unit.members, layer), tensors=tensors)


def unknown_merge(layer: Layer, feeding: Sequence[str], graph: LayerGraph) -> tuple[Unit, ...]:
    """A layer of unknown class that joins several data paths and has no weights.

    A scaled sum, more often than not.
    """
    is_one = (
        graph.framework == "keras" and layer.op == "Opaque" and not layer.tensors and len(set(feeding)) > 1
    )
    return (Unit(layer.name, "Add", 0, (layer,)),) if is_one else ()
