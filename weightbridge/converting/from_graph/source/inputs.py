"""The inputs of a model: whose channels come last in Keras, and whose axes stay as they are."""

from collections.abc import Sequence

from weightbridge.converting.from_graph.layers.operations import BINARY, UNARY
from weightbridge.converting.from_graph.layout import Length, plain
from weightbridge.converting.from_graph.source.batches import Places
from weightbridge.converting.from_graph.values import Settings, Value
from weightbridge.converting.from_graph.writer import Writer
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer, LayerGraph, Shape
from weightbridge.model.vocabulary import CONVOLUTIONS, COPIES, ELEMENTWISE_MERGES, PASSING, POOLS

WITH_CHANNELS = CONVOLUTIONS | POOLS | {"BatchNorm", "GroupNorm"}
KEEPING = (
    PASSING | COPIES | ELEMENTWISE_MERGES | {"Activation", "Pad", "Scale", "Shift", "Rescaling", "Concat"}
)
KEEPING_SLICES = KEEPING | {"Slice", "Resize", "Normalization"}
ELEMENTWISE = UNARY.keys() | BINARY.keys()
FIX = "export the model with that length fixed"


def inputs_of(graph: LayerGraph, writer: Writer, settings: Settings, places: Places) -> dict[str, Value]:
    """The inputs by the source's names. places: the axis of each that is the batch."""
    made = {}
    for name in graph.inputs:
        layer = graph.by_name[name]
        shape = _shape(layer, graph)
        place = places[name]
        full = (layer.settings.get("batch"), *shape)
        is_turned = settings.input_layout == "nhwc" and _has_channels_first(graph, name, len(full))
        order = [0, *range(2, len(full)), 1] if is_turned and not place else [*range(len(full))]
        order.insert(0, order.pop(place))
        dtype = str(layer.attributes.get("dtype", "float32"))
        made[name] = writer.input(name, plain(full, order), dtype)
    return made


def told_batch(graph: LayerGraph, places: Places) -> tuple[Length, ...]:
    """The length of the batch that the inputs declare, None for any; () where they do not say or agree."""
    inputs = {name: graph.by_name[name].settings for name in graph.inputs}
    told = {
        (settings["batch"], *settings["shape"])[places[name]] if places[name] else settings["batch"]
        for name, settings in inputs.items()
        if "batch" in settings
    }
    if None in told:
        return (None,)
    return tuple(told) if len(told) == 1 else ()


def _shape(layer: Layer, graph: LayerGraph) -> Shape:
    shape = layer.attributes.get("shape", layer.output_shape)
    if shape is None:
        message = f"the number of axes of the input {layer.name} is not known"
        raise Unsupported(message, where=graph.path, fix="export the model with its input's shape")
    known: Shape = tuple(shape)
    return known


def _has_channels_first(graph: LayerGraph, name: str, rank: int) -> bool:
    """Whether what reads an input, as it is, has its channels in the second place."""
    if rank < 3:
        return False
    waiting: list[str] = [*graph.children[name]]
    seen: set[str] = set()
    while waiting:
        layer = graph.by_name[waiting.pop()]
        if layer.name in seen:
            continue
        seen.add(layer.name)
        if layer.op in WITH_CHANNELS:
            return _is_first(layer, rank)
        if layer.op in KEEPING_SLICES or (layer.op == "Opaque" and layer.class_name in ELEMENTWISE):
            waiting += graph.children[layer.name]
    return False


def _is_first(layer: Layer, rank: int) -> bool:
    space: Sequence[int] = layer.settings.get("kernel_size") or layer.settings.get("pool_size") or ()
    fits = not space or len(space) == rank - 2
    return layer.attributes.get("data_format") == "channels_first" and fits
