"""The inputs of an ONNX graph as a runner takes them, told without what runs it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from weightbridge.formats.onnx.layers import Folded
from weightbridge.formats.onnx.proto import Graph, ValueInfo
from weightbridge.formats.onnx.tensors import DTYPES, STRING
from weightbridge.formats.running import TEXT, ULPS, InputSpec
from weightbridge.model.graph import Edge, Layer
from weightbridge.model.vocabulary import COPIES, RESHAPES

PASSED = COPIES | RESHAPES | {"Slice", "Repeat"}
PICKING = frozenset({"PickedByItem", "GatherElements"})


def inputs_of(graph: Graph, found: Folded, dtype: str = "float32") -> tuple[InputSpec, ...]:
    """What a graph is fed in a run in this dtype."""
    layers = {layer.name: layer for layer in found.layers}
    names = {found.shown[name]: name for name in found.inputs}
    told = [info for info in graph.inputs if info.name in names]
    return tuple(_spec(info, dtype, found, layers, names[info.name]) for info in told)


def _spec(info: ValueInfo, dtype: str, found: Folded, layers: Mapping[str, Layer], name: str) -> InputSpec:
    stored = TEXT if info.elem_type == STRING else DTYPES.get(info.elem_type, "float32")
    spec = InputSpec(info.name, info.shape or (), _input_dtype(stored, dtype))
    allowed = _allowed(name, found, layers) if "int" in stored else None
    return spec if allowed is None else replace(spec, vocabulary=len(allowed), least=allowed.start)


def _input_dtype(stored: str, dtype: str) -> str:
    """In a float64 run, narrower floats are fed in float64."""
    return dtype if dtype == "float64" and stored in ULPS else stored


def _allowed(name: str, found: Folded, layers: Mapping[str, Layer]) -> range | None:
    """The numbers that are rows of each table, and places of each axis, that this input picks from.

    Straight, through casts and reshapes, or with a number added (the last place of a length is one less).
    """
    limits = list(_limits(name, found, layers))
    if not limits:
        return None
    least = max(limit.start for limit in limits)
    return range(least, max(min(limit.stop for limit in limits), least + 1))


def _limits(name: str, found: Folded, layers: Mapping[str, Layer]) -> Iterator[range]:
    """What each layer that picks by the input allows."""
    waiting, seen = [(name, 0)], set[str]()
    while waiting:
        source, added = waiting.pop()
        for edge in [edge for edge in found.edges if edge.source == source and edge.target not in seen]:
            seen.add(edge.target)
            yield from (range(max(-added, 0), count - added) for count in _counts(edge, found, layers))
            waiting += [(edge.target, added + more) for more in _added(layers[edge.target])]


def _added(layer: Layer) -> tuple[int, ...]:
    """What a layer adds to numbers that it hands on; () for one that makes others of them."""
    if layer.op in PASSED:
        return (0,)
    scale, offset = layer.settings.get("scale"), layer.settings.get("offset")
    is_sum = layer.op == "Rescaling" and scale == 1 and isinstance(offset, int | float)
    return (int(offset),) if is_sum and offset is not None and float(offset).is_integer() else ()


def _counts(edge: Edge, found: Folded, layers: Mapping[str, Layer]) -> tuple[int, ...]:
    """From how many rows or places a layer picks by what it is fed here; () where it does not, or may not."""
    layer = layers[edge.target]
    if layer.op == "Embedding":
        return (int(layer.attributes["input_dim"]),)
    if edge.position != 1 or layer.class_name not in PICKING:
        return ()
    if "item_size" in layer.settings:
        return (int(layer.settings["item_size"]),)
    length = _length(layer, found, layers)
    return (length,) if length else ()


def _length(layer: Layer, found: Folded, layers: Mapping[str, Layer]) -> int | None:
    """Of the axis of its data that it picks from."""
    data = next((one for one in found.edges if one.target == layer.name and one.position == 0), None)
    shape = () if data is None else layers[data.source].output_shape or ()
    axis = int(layer.settings.get("axis", 1))
    return shape[axis - 1] if 0 < axis <= len(shape) else None
