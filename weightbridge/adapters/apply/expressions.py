"""What a layer is fed, as an expression over source tensors from which its mean and variance can be worked
out (see moments.py).

{"normal": n, "gamma": leaf, "beta": leaf}  a norm's output: leaf = number, or {"source": k, "axes": rules}
{"standard": n}                             mean 0 and variance 1: what a kernel of He variance writes
{"input": n, "kernel": k, "mean": k, "variance": k, "letters": ...}  the model's input, as the source's first
norm has seen it
{"kernel": k, "parameters": ..., "letters": ..., "of": e}            a convolution's output, its kernel as in
`map-axes`
{"activation": name, "of": e}   {"sum": [e, ...]}   {"concat": [e, ...]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weightbridge.adapters.propose.groups import KEEPING_CHANNELS, Groups, activation_of
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import ELEMENTWISE_MERGES
from weightbridge.plan import Step

Expression = dict[str, Any]
DEPTH = 4  # sums within sums beyond this are taken as standard: they hardly change the result, and plans are read by people


@dataclass(slots=True)
class Reading:
    """A walk up the target's graph: the steps that fill it, and the source tensors met so far, numbered as
    they come up.
    """

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
    layer, feeding = reading.graph.by_name[name], reading.graph.parents[name]
    if layer.op == "BatchNorm":
        expression = normal(reading, layer, _width(reading, layer))
    elif layer.op in ELEMENTWISE_MERGES | {"Concat"} and depth > 0:
        expression = _joined(reading, layer, depth - 1)
    elif layer.op in KEEPING_CHANNELS and feeding and layer.op != "DepthwiseConv":
        expression = written(reading, feeding[0], depth)
    else:
        expression = {"standard": _width(reading, layer)}
    activation = activation_of(layer)
    return expression if activation in ("None", "linear") else {"activation": activation, "of": expression}


def fed(reading: Reading, layer: Layer) -> Expression:
    """The expression of what a layer reads; standard where the walk does not give the right number of
    channels.
    """
    wanted = reading.groups.length(reading.groups.read[layer.name])
    found = written(reading, reading.graph.parents[layer.name][0])
    return found if width(found) == wanted else {"standard": wanted}


def through_kernel(reading: Reading, step: Step, letters: Sequence[str], of: Expression) -> Expression:
    """A kernel over what it is fed; `letters` say which axes sum up and which are kept apart."""
    return {
        "kernel": reading.number(step.sources[0]),
        "parameters": step.parameters,
        "letters": " ".join(letters),
        "of": of,
    }


def normal(reading: Reading, layer: Layer, size: int) -> Expression:
    return {
        "normal": size,
        **{role: leaf(reading, layer, role, float(role == "gamma")) for role in ("gamma", "beta")},
    }


def leaf(reading: Reading, layer: Layer, role: str, absent: float) -> Any:
    """A vector of the target: where its step takes it from, or its constant."""
    tensor = layer.tensor(role)
    step = reading.steps.get(tensor.name) if tensor else None
    if step is None or not step.sources:
        return step.parameters["value"] if step else absent
    return {"source": reading.number(step.sources[0]), **step.parameters}


def width(expression: Expression) -> int:
    """Channels of what an expression stands for, 0 where its terms do not agree; kernels are never walked
    through.
    """
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


def _joined(reading: Reading, layer: Layer, depth: int) -> Expression:
    feeding = [written(reading, name, depth) for name in reading.graph.parents[layer.name]]
    if layer.op == "Concat":
        return {"concat": feeding}
    full = [term for term in feeding if width(term) == max(width(other) for other in feeding)]
    return {"sum": full} if layer.op == "Add" else full[0]


def _width(reading: Reading, layer: Layer) -> int:
    axis = reading.groups.written.get(layer.name)
    return reading.groups.length(axis) if axis else 1
