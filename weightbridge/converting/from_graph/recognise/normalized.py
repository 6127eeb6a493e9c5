"""(x - mean) / max(sqrt(variance), 1e-7) is Normalization, as is the way back."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isclose

from weightbridge.converting.from_graph.recognise.pattern import Edit, before, edited, needed
from weightbridge.converting.from_graph.source.constants import MOST
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor

SMALLEST_DEVIATION = 1e-7  # keras.backend.epsilon(), which Normalization divides by at least


def normalized(graph: LayerGraph) -> LayerGraph:
    found = dict(_joined(graph))
    return needed(edited(graph, found.values()), without=found.keys()) if found else graph


def _joined(graph: LayerGraph) -> Iterator[tuple[str, Edit]]:
    """By the name of the layer that is no longer there."""
    for layer in graph.layers:
        first = before(graph, layer)
        pair = None if first is None else _shift_and_root(first, layer)
        if first is not None and pair is not None:
            yield first.name, Edit(_whole(layer, *pair), ((graph.edges_into[first.name][0], ""),))


def _shift_and_root(first: Layer, second: Layer) -> tuple[Layer, Layer] | None:
    if _is_shift(first, is_inverse=True) and _by_root(second, "Div"):
        return first, second
    is_back = _by_root(first, "Mul") and _is_shift(second, is_inverse=False)
    return (second, first) if is_back else None


def _is_shift(layer: Layer, *, is_inverse: bool) -> bool:
    return layer.op == "Shift" and bool(layer.settings.get("is_inverse")) == is_inverse


def _by_root(layer: Layer, kind: str) -> bool:
    """A quotient or a product with the root of a tensor, with the bound that Keras has."""
    if layer.class_name != kind or len(layer.tensors) != 1:
        return False
    told = layer.settings.get("arguments") or ()
    least = [one["least"] for one in told if isinstance(one, Mapping) and "root" in one]
    return len(least) == 1 and _is_bound(least[0], layer.tensors[0])


def _is_bound(least: float, variance: Tensor) -> bool:
    if isclose(least, SMALLEST_DEVIATION, rel_tol=1e-5):
        return True
    return variance.size <= MOST and bool((variance.load() > max(least, SMALLEST_DEVIATION) ** 2).all())


def _whole(layer: Layer, shift: Layer, root: Layer) -> Layer:
    tensors = (_as(shift.tensors[0], "mean"), _as(root.tensors[0], "variance"))
    told = {"axis": shift.settings["axis"], "invert": root.class_name == "Mul"}
    return Layer(layer.name, "Opaque", "Normalization", told, tensors, layer.output_shape)


def _as(tensor: Tensor, role: str) -> Tensor:
    return replace(tensor, role=role)
