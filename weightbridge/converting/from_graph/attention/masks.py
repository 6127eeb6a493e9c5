"""What a graph says of the keys that each query may see: added to the scores, or chosen instead of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.attention.trace import NO_ATTENTION, viewed
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.source.constants import MOST, is_input
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Edge, Layer
from weightbridge.model.tensors import Array
from weightbridge.model.vocabulary import RESHAPES, VIEWS

LOWEST = -1e4  # what is so far below the other scores has no weight, in float64 either
ABSORBING = -1e30  # a score that is added to it is lost
LONGEST = 40
Empty = Literal["nothing", "mean", "other", "zeros"]
ValueOf = Callable[[Edge], Value]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where a query may see a key. numbers: by the axes of the scores in the source; else a value.

    value: true where it may, or where it may not (is_inverse).
    lowest: what other scores are replaced by, or get added: it decides what a row without keys gives.
    tensor: the name of the one that the numbers are in.
    """

    numbers: Array | None = None
    value: Value | None = None
    is_inverse: bool = False
    lowest: float = -np.inf
    is_added: bool = False
    tensor: str = ""

    def empty_row(self, *, is_alone: bool) -> Empty:
        """What a row without keys gives: the mean of all values, something else, or no number."""
        if self.value is None or self.lowest == -np.inf:
            return "nothing"
        is_mean = is_alone and (not self.is_added or self.lowest <= ABSORBING)
        return "mean" if is_mean else "other"


def allowed(call: Call, scores: Edge, value_of: ValueOf) -> Allowed:
    """What the layer allows that scores come into. Raises Unsupported where it does more than mask."""
    layer = call.source.by_name[scores.target]
    others = [edge for edge in call.source.edges_into[layer.name] if edge is not scores]
    if layer.class_name == "Where":
        return _chosen(layer, scores, [_unspread(call, edge) for edge in others], value_of)
    if others:
        return _added(call, others[0], value_of)
    return _constant(call, layer, _other_argument(layer))


def _other_argument(layer: Layer) -> Any:
    """The one constant beside the scores. Raises Unsupported where it does not follow from the file."""
    told = _constants(layer)
    if len(told) != 1 or told[0] is None:
        raise Unsupported(NO_ATTENTION)
    return told[0]


def _constants(layer: Layer) -> list[Any]:
    """The arguments that are no values that it is fed."""
    return [one for one in layer.settings.get("arguments") or () if not is_input(one)]


def again(call: Call, layer: Layer, value_of: ValueOf) -> Allowed | None:
    """What a layer behind the softmax leaves of it; None where it asks for numbers alone."""
    edges = {edge.keyword: edge for edge in call.source.edges_into[layer.name]}
    if "x" not in edges:
        return None
    if "condition" in edges:
        return Allowed(value=value_of(edges["condition"]))
    condition = layer.settings.get("condition")
    if not _is_number(condition):
        raise Unsupported(NO_ATTENTION)
    return Allowed(np.asarray(condition, bool))


def _constant(call: Call, layer: Layer, told: Any) -> Allowed:
    """Numbers in the graph, or in a tensor that could be a weight."""
    if not isinstance(told, dict):
        return Allowed(_is_zero(np.asarray(told, np.float64)))
    tensor = call.sharing.tensors[layer.name].get(str(told.get("tensor")))
    if tensor is None or tensor.size > MOST or told.get("rows"):
        raise Unsupported(NO_ATTENTION)
    return Allowed(_is_zero(np.asarray(tensor.load(), np.float64)), tensor=tensor.name)


def _is_zero(added: Array) -> Array:
    """Where nothing is added; elsewhere it is so much that nothing is left."""
    if not np.all((added == 0) | (added <= LOWEST)):
        raise Unsupported(NO_ATTENTION)
    return np.asarray(added == 0)


def _chosen(layer: Layer, scores: Edge, others: Sequence[Edge], value_of: ValueOf) -> Allowed:
    """Scores where a condition is false (or true), a number elsewhere."""
    number: Any = layer.settings.get("x" if scores.keyword == "y" else "y")
    if scores.keyword not in ("x", "y") or not _is_low(number):
        raise Unsupported(NO_ATTENTION)
    is_inverse = scores.keyword == "y"
    if len(others) == 1 and others[0].keyword == "condition":
        return Allowed(None, value_of(others[0]), is_inverse, float(np.max(number)))
    condition = layer.settings.get("condition")
    if others or condition is None or isinstance(condition, dict):
        raise Unsupported(NO_ATTENTION)
    told = np.asarray(condition, bool)
    return Allowed(~told if is_inverse else told)


def _is_low(number: Any) -> bool:
    return _is_number(number) and bool(np.all(np.asarray(number) <= LOWEST))


def _is_number(value: Any) -> bool:
    return value is not None and not isinstance(value, dict)


def _added(call: Call, edge: Edge, value_of: ValueOf) -> Allowed:
    """A mask of 0 and a number far below it, followed back to what it is made of."""
    layers: list[Layer] = []
    for _ in range(LONGEST):
        layer = call.source.by_name[edge.source]
        edges = call.source.edges_into[layer.name]
        if edge.port or len(edges) != 1:
            break
        values = _two(layer, edges[0])
        if values is not None:
            return _of_two(call, layers, values, value_of(_unspread(call, edges[0])))
        layers.append(layer)
        edge = edges[0]
    raise Unsupported(NO_ATTENTION)


def _unspread(call: Call, edge: Edge) -> Edge:
    """Without steps before that only repeat a mask, which Keras does too; its keyword stays."""
    for _ in range(LONGEST):
        layer = call.source.by_name[edge.source]
        edges = call.source.edges_into[layer.name]
        if edge.port or len(edges) != 1 or not _is_spreading(layer):
            break
        edge = replace(edges[0], keyword=edge.keyword)
    return edge


def _is_spreading(layer: Layer) -> bool:
    """An Expand, or an And with what is true everywhere."""
    if layer.class_name == "Expand":
        return True
    told = _constants(layer)
    is_known = layer.class_name == "And" and len(told) == 1 and _is_number(told[0])
    return is_known and bool(np.all(told[0]))


def _two(layer: Layer, edge: Edge) -> tuple[float, float] | None:
    """What a layer makes of true and of false; None for one that makes nothing new."""
    if layer.class_name == "Where" and edge.keyword == "condition":
        return _one(layer.settings.get("x")), _one(layer.settings.get("y"))
    is_counted = layer.op == "Cast" and "float" in str(layer.settings.get("dtype"))
    return (1.0, 0.0) if is_counted else None


def _one(told: Any) -> float:
    """The number that a constant is everywhere. Raises Unsupported."""
    numbers: Array = np.unique(np.asarray(told)) if _is_number(told) else np.zeros(0)
    if numbers.size != 1:
        raise Unsupported(NO_ATTENTION)
    return float(numbers[0])


def _of_two(call: Call, layers: Sequence[Layer], values: tuple[float, float], value: Value) -> Allowed:
    """layers: between what is masked and what is made of true and false, the last one first."""
    if value.dtype.startswith("float"):
        raise Unsupported(NO_ATTENTION)
    told = np.array(values)
    for layer in reversed(layers):
        told = _counted(layer, told)
    if sorted((told == 0).tolist()) != [False, True] or min(told) > LOWEST:
        raise Unsupported(NO_ATTENTION)
    is_inverse = bool(told[0] != 0)
    seen = _seen(call, list(reversed(layers)), value)
    return Allowed(value=seen, is_inverse=is_inverse, lowest=float(min(told)), is_added=True)


def _counted(layer: Layer, told: Array) -> Array:
    """What becomes of the two numbers; views leave them."""
    if layer.op in VIEWS | {"Identity"} or layer.class_name in ("Expand", "Cast"):
        return told
    with np.errstate(all="ignore"):
        if layer.op == "Rescaling":
            return np.asarray(told * float(layer.attributes["scale"]) + float(layer.attributes["offset"]))
        arguments = layer.settings.get("arguments")
        if layer.class_name == "Sub" and isinstance(arguments, tuple):
            return np.asarray(_one(arguments[0]) - told)
    raise Unsupported(NO_ATTENTION)


def _seen(call: Call, layers: Sequence[Layer], value: Value) -> Value:
    """The value through the views of its mask.

    An Expand is left out where all behind it are Reshapes that give its own axes again: Keras repeats a mask.
    """
    layout = value.layout
    for place, layer in enumerate(layers):
        if layer.class_name == "Expand":
            if not _ends_as(layer, layers[place + 1 :]):
                raise Unsupported(NO_ATTENTION)
            break
        if layer.op in VIEWS:
            layout = viewed(layout, layer, call)
    return value.seen(layout)


def _ends_as(expand: Layer, behind: Sequence[Layer]) -> bool:
    views = [layer for layer in behind if layer.op in VIEWS]
    is_kept = all(layer.op in RESHAPES for layer in views)
    return is_kept and (not views or views[-1].output_shape == expand.output_shape is not None)
