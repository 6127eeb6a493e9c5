"""What a layer is fed, as an expression over source tensors that moments.py takes means and variances of.

{"normal": n, "gamma": leaf, "beta": leaf}  a norm's output: leaf = number, or {"source": k, "axes": rules}
{"standard": n}                             mean 0 and variance 1: what a kernel of He variance writes
{"input": n, "kernel": k, "mean": k, "variance": k, "letters": ...}
                                            the model's input, as the source's first norm has seen it
{"kernel": k, "parameters": ..., "letters": ..., "of": e}
                                            a convolution's output, its kernel as in `map-axes`
{"activation": name, "parameters": ..., "of": e}    parameters where the activation has its own
{"sum": [e, ...]}   {"concat": [e, ...]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weightbridge.adapters.propose.groups import KEEPING_CHANNELS, Groups
from weightbridge.model.activations import name_and_parameters
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import ELEMENTWISE_MERGES
from weightbridge.plan import Step

Expression = dict[str, Any]
DEPTH = 4  # deeper sums are taken as standard: they hardly change the result, and people read plans


@dataclass(slots=True)
class Reading:
    """A walk up the target's graph: the steps that fill it, and the source tensors met so far, in order."""

    graph: LayerGraph
    groups: Groups
    steps: Mapping[str, Step]
    names: list[str] = field(default_factory=list)

    def number(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)


def written(reading: Reading, name: str, depth: int = DEPTH) -> Expression:
    """The expression of what a target layer writes."""
    layer = reading.graph.by_name[name]
    return _activated(layer, _before_activation(reading, layer, depth))


def _before_activation(reading: Reading, layer: Layer, depth: int) -> Expression:
    feeding = reading.graph.parents[layer.name]
    if layer.op == "BatchNorm":
        return normal(reading, layer, _width(reading, layer))
    if layer.op in ELEMENTWISE_MERGES | {"Concat"} and depth > 0:
        return _joined(reading, layer, depth - 1)
    if layer.op in KEEPING_CHANNELS and feeding and layer.op != "DepthwiseConv":
        return written(reading, feeding[0], depth)
    return {"standard": _width(reading, layer)}


def _activated(layer: Layer, expression: Expression) -> Expression:
    activation = layer.attributes.get("activation")
    if activation is None or activation == "linear":
        return expression
    name, parameters = name_and_parameters(activation)
    own = {"parameters": dict(parameters)} if parameters else {}
    return {"activation": name, **own, "of": expression}


def _joined(reading: Reading, layer: Layer, depth: int) -> Expression:
    feeding = [written(reading, name, depth) for name in reading.graph.parents[layer.name]]
    if layer.op == "Concat":
        return {"concat": feeding}
    widest = max(width(term) for term in feeding)
    full = [term for term in feeding if width(term) == widest]
    return {"sum": full} if layer.op == "Add" else full[0]


def _width(reading: Reading, layer: Layer) -> int:
    axis = reading.groups.written.get(layer.name)
    return reading.groups.length(axis) if axis else 1


def fed(reading: Reading, layer: Layer) -> Expression:
    """The expression of what a layer reads; standard where the walk gives another number of channels."""
    channels = reading.groups.length(reading.groups.read[layer.name])
    expression = written(reading, reading.graph.parents[layer.name][0])
    return expression if width(expression) == channels else {"standard": channels}


def through_kernel(reading: Reading, step: Step, letters: Sequence[str], of: Expression) -> Expression:
    """A kernel over what it is fed; `letters` say which axes sum up and which are kept apart."""
    return {
        "kernel": reading.number(step.sources[0]),
        "parameters": step.parameters,
        "letters": " ".join(letters),
        "of": of,
    }


def normal(reading: Reading, layer: Layer, size: int) -> Expression:
    """What a norm writes."""
    leaves = {role: leaf(reading, layer, role, float(role == "gamma")) for role in ("gamma", "beta")}
    return {"normal": size, **leaves}


def leaf(reading: Reading, layer: Layer, role: str, absent: float) -> Any:
    """A vector of the target: where its step takes it from, or its constant."""
    tensor = layer.tensor(role)
    step = reading.steps.get(tensor.name) if tensor else None
    if step is None:
        return absent
    if not step.sources:
        return step.parameters["value"]
    return {"source": reading.number(step.sources[0]), **step.parameters}


def width(expression: Expression) -> int:
    """Channels of an expression, 0 where its terms do not agree; kernels are never walked through."""
    match expression:
        case {"concat": terms}:
            return sum(width(term) for term in terms)
        case {"sum": terms}:
            widths = {width(term) for term in terms}
            return widths.pop() if len(widths) == 1 else 0
        case {"of": inner}:
            return width(inner)
        case _:
            return int(expression.get("normal") or expression.get("standard") or expression.get("input") or 0)
