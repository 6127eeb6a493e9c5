"""What is cut off the output of a transposed convolution, before and after, as all frameworks can say it.

The whole output of n inputs has (n - 1) stride + dilation (kernel - 1) + 1 places.
"""

from collections.abc import Iterable

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import COPIES

Pairs = tuple[tuple[int, int], ...]
PASSED = COPIES | {"Activation", "Dropout"}


def cut_off(graph: LayerGraph, layer: Layer) -> Pairs | None:
    """Pairs for each axis, a negative number for places that are added; None where it is not known.

    ONNX: padding (1, 1) and output_padding 1 -> (1, 0). Keras, kernel 3, stride 2, same -> (0, 1).
    """
    padding = layer.attributes["padding"]
    behind = _behind(graph, layer)
    if isinstance(padding, str) or (behind is not None and behind.op == "Slice"):
        return None
    rank = len(padding)
    own = _keras(layer, padding) if graph.framework == "keras" else _without_added(layer, padding)
    if behind is None or behind.op not in ("Crop", "Pad"):
        return own
    outer = behind.attributes.get("padding")
    if not isinstance(outer, tuple) or len(outer) != rank:
        return None
    sign = 1 if behind.op == "Crop" else -1
    return tuple((a + sign * c, b + sign * d) for (a, b), (c, d) in zip(own, outer, strict=True))


def _keras(layer: Layer, padding: Pairs) -> Pairs:
    """Keras fills the output up to n stride places where the stride is longer than the kernel."""
    if "output_padding" in layer.attributes:
        return padding
    missing = [min(span - stride, 0) for span, stride in _spans(layer)]
    return tuple((before, after + n) for (before, after), n in zip(padding, missing, strict=True))


def _without_added(layer: Layer, padding: Pairs) -> Pairs:
    added = layer.attributes.get("output_padding", (0,) * len(padding))
    return tuple((before, after - n) for (before, after), n in zip(padding, added, strict=True))


def _spans(layer: Layer) -> Iterable[tuple[int, int]]:
    """For each axis: how many places a kernel reaches over, and the stride."""
    attributes = layer.attributes
    dilation = attributes.get("dilation", (1,) * len(attributes["kernel_size"]))
    spans = [d * (k - 1) + 1 for k, d in zip(attributes["kernel_size"], dilation, strict=True)]
    return zip(spans, attributes["strides"], strict=True)


def _behind(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The one layer that reads the output, behind what leaves every place where it is."""
    names = graph.children[layer.name]
    while len(names) == 1 and graph.by_name[names[0]].op in PASSED:
        names = graph.children[names[0]]
    return graph.by_name[names[0]] if len(names) == 1 else None
