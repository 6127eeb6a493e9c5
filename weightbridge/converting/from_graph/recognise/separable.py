"""A convolution by channel and a pointwise one right behind it: SeparableConv, which has both."""

from collections.abc import Iterator
from dataclasses import replace

from weightbridge.converting.from_graph.recognise.pattern import Edit, before, edited, needed, renamed
from weightbridge.model.graph import Layer, LayerGraph

BY_CHANNEL, POINTWISE = "depthwise_kernel", "pointwise_kernel"
SHARED = ("tied", "shared_with")


def separable(graph: LayerGraph) -> LayerGraph:
    """It has the first one's name, as the own writer and its scopes have it."""
    found = dict(_joined(graph))
    kept = needed(edited(graph, found.values()), without=found.keys())
    return renamed(kept, {edit.layer.name: name for name, edit in found.items()})


def _joined(graph: LayerGraph) -> Iterator[tuple[str, Edit]]:
    read = {name for layer in graph.layers for name in (layer.attributes.get("tied") or {}).values()}
    for layer in graph.layers:
        first = before(graph, layer)
        if first is None or any(tensor.name in read for tensor in (*first.tensors, *layer.tensors)):
            continue
        if _is_by_channel(first) and _is_pointwise(layer):
            yield first.name, Edit(_whole(first, layer), ((graph.edges_into[first.name][0], ""),))


def _is_by_channel(layer: Layer) -> bool:
    """One that Keras can make separable: without a bias, the same stride along each axis."""
    rank, strides = len(layer.settings.get("kernel_size") or ()), set(layer.settings.get("strides") or ())
    is_plain = layer.op == "DepthwiseConv" and not layer.settings.get("use_bias") and _is_unshared(layer)
    return is_plain and rank in (1, 2) and len(strides) == 1


def _is_pointwise(layer: Layer) -> bool:
    settings = layer.settings
    windows = [settings.get(key) for key in ("kernel_size", "strides", "dilation")]
    is_one = all(window and set(window) == {1} for window in windows)
    is_bare = settings.get("padding") in ("valid", "same") or not _numbers(settings.get("padding"))
    is_conv = layer.op == "Conv" and settings.get("groups") == 1 and _is_unshared(layer)
    return is_conv and is_one and is_bare


def _numbers(padding: object) -> bool:
    pairs = padding if isinstance(padding, tuple) else ()
    return not pairs or any(any(pair) for pair in pairs)


def _is_unshared(layer: Layer) -> bool:
    return not any(layer.attributes.get(key) for key in SHARED)


def _whole(first: Layer, second: Layer) -> Layer:
    """The first one's window, the second one's filters and bias."""
    kernels = (
        replace(tensor, role=BY_CHANNEL if layer is first else POINTWISE)
        for layer in (first, second)
        for tensor in layer.tensors
        if tensor.role == "kernel"
    )
    biases = (tensor for tensor in second.tensors if tensor.role != "kernel")
    told = {key: second.settings.get(key) for key in ("filters", "use_bias")}
    return replace(
        first,
        name=second.name,
        op="SeparableConv",
        class_name="SeparableConv",
        attributes={**first.attributes, **told},
        tensors=(*kernels, *biases),
        output_shape=second.output_shape,
    )
