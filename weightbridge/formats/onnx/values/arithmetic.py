"""The elementwise nodes of ONNX (and the mean) on arrays, to try out what a group of nodes computes."""

from collections.abc import Callable, Mapping, Sequence
from math import erf
from typing import Any

import numpy as np

from weightbridge.formats.onnx.proto import Node
from weightbridge.model.tensors import Array

Operation = Callable[..., Any]
MEANS = frozenset(
    {"ReduceMean", "GlobalAveragePool"}
)  # of three axes, tf2onnx writes a mean over the last one as pooling


def run(
    nodes: Sequence[Node], values: Mapping[str, Any], axes: Mapping[str, tuple[int, ...]]
) -> Array | None:
    """The last node's output, None where the nodes do not fit together. axes: those of each reduction, by its
    output.
    """
    known = dict(values)
    try:
        with np.errstate(all="ignore"):
            for node in nodes:
                inputs = [known[v] for v in node.inputs if v and v in known]
                known[node.outputs[0]] = _one(node, inputs, axes)
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return np.asarray(known[nodes[-1].outputs[0]])


def _one(node: Node, inputs: list[Any], axes: Mapping[str, tuple[int, ...]]) -> Array:
    if node.op in MEANS:
        return np.asarray(
            np.mean(
                inputs[0],
                axis=axes[node.outputs[0]],
                keepdims=node.op != "ReduceMean" or bool(node.attributes.get("keepdims", 1)),
            )
        )
    if node.op == "Clip" and len(inputs) == 1:
        return np.asarray(
            np.clip(inputs[0], node.attributes.get("min", -np.inf), node.attributes.get("max", np.inf))
        )
    if node.op == "HardSigmoid":
        return np.asarray(
            np.clip(inputs[0] * node.attributes.get("alpha", 0.2) + node.attributes.get("beta", 0.5), 0, 1)
        )
    return np.asarray(OPERATIONS[node.op](*inputs))


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(0, x))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


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
    "HardSigmoid": _sigmoid,  # with its parameters, in _one
    "Erf": np.vectorize(erf, otypes=[float]),
    "Erfc": np.vectorize(lambda x: 1 - erf(x), otypes=[float]),
    "ReduceMean": np.mean,  # with its axes, in _one
    "GlobalAveragePool": np.mean,
    "Less": np.less,
    "Not": np.logical_not,
    "Where": np.where,
    "Identity": np.asarray,
    "Reshape": lambda x, *_: np.asarray(x),  # only where it changes nothing
    "Cast": lambda x: np.asarray(x, float),
}
