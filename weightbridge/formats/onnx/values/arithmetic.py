"""The elementwise nodes of ONNX (and the mean) on arrays, to try out what a group of nodes computes."""

from collections.abc import Callable, Mapping, Sequence
from math import erf
from typing import Any

import numpy as np

from weightbridge.formats.onnx.proto import Node
from weightbridge.model.tensors import Array

Operation = Callable[..., Any]
# GlobalAveragePool: of three axes, tf2onnx writes a mean over the last one as pooling
MEANS = frozenset({"ReduceMean", "GlobalAveragePool"})


def run(
    nodes: Sequence[Node], values: Mapping[str, Any], axes: Mapping[str, tuple[int, ...]]
) -> Array | None:
    """The last node's output; None where the nodes do not fit together.

    axes: those of each mean, by its output.
    """
    known = dict(values)
    try:
        with np.errstate(all="ignore"):
            for node in nodes:
                inputs = [known[value] for value in node.inputs if value and value in known]
                known[node.outputs[0]] = np.asarray(_computed(node, inputs, axes))
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return np.asarray(known[nodes[-1].outputs[0]])


def _computed(node: Node, inputs: list[Any], axes: Mapping[str, tuple[int, ...]]) -> Any:
    attributes = node.attributes
    if node.op in MEANS:
        keeps_axes = node.op != "ReduceMean" or bool(attributes.get("keepdims", 1))
        return np.mean(inputs[0], axis=axes[node.outputs[0]], keepdims=keeps_axes)
    if node.op == "Clip" and len(inputs) == 1:
        return np.clip(inputs[0], attributes.get("min", -np.inf), attributes.get("max", np.inf))
    if node.op == "HardSigmoid":
        slope, shift = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
        return np.clip(inputs[0] * slope + shift, 0, 1)
    return OPERATIONS[node.op](*inputs)


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(0, x))


def _sigmoid(x: Array) -> Array:
    decay = np.exp(-x)
    return np.asarray(1 / (1 + decay))


OPERATIONS: Mapping[str, Operation] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Neg": np.negative,
    "Abs": np.abs,
    "Exp": np.exp,
    "Log": np.log,
    "Min": np.minimum,
    "Max": np.maximum,
    "Clip": np.clip,
    "Relu": lambda x: np.maximum(x, 0),
    "Tanh": np.tanh,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "HardSigmoid": _sigmoid,  # with its parameters, in _computed
    "Erf": np.vectorize(erf, otypes=[float]),
    "Erfc": np.vectorize(lambda x: 1 - erf(x), otypes=[float]),
    "ReduceMean": np.mean,  # with its axes, in _computed
    "GlobalAveragePool": np.mean,
    "Less": np.less,
    "Not": np.logical_not,
    "Where": np.where,
    "Identity": np.asarray,
    "Reshape": lambda x, *_: np.asarray(x),  # only where it changes nothing
    "Cast": lambda x: np.asarray(x, float),
}
