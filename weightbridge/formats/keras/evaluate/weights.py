"""The weights of a layer as today's Keras would hold them, whatever the age of the file."""

import numpy as np

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import CUDNN, OLD_GATES
from weightbridge.model.tensors import Array
from weightbridge.transforms.recurrent import from_cudnn

PROJECTIONS = ("query", "key", "value", "attention_output")
FLAT = 4  # axes of a kernel in two dimensions
Weights = dict[str, Array]


def weights_of(graph: LayerGraph, owner: str, dtype: str) -> Weights:
    """By role; those of a sub-layer as `query/kernel`."""
    layer = graph.by_name.get(owner)
    if layer is None:
        return {}
    found = {tensor.role: tensor.load().astype(dtype) for tensor in layer.tensors}
    for name in PROJECTIONS:
        part = graph.by_name.get(f"{owner}/{name}")
        for tensor in () if part is None else part.tensors:
            found[f"{name}/{tensor.role}"] = tensor.load().astype(dtype)
    return _of_cudnn(layer, _convolved(layer, _joined(layer, found)))


def _joined(layer: Layer, found: Weights) -> Weights:
    """Keras 1 keeps every gate apart."""
    for role in ("kernel", "recurrent_kernel", "bias"):
        names = [f"{role}_{gate}" for gate in OLD_GATES.get(layer.op, "")]
        if names and all(name in found for name in names):
            found[role] = np.concatenate([found.pop(name) for name in names], axis=-1)
    return found


def _convolved(layer: Layer, found: Weights) -> Weights:
    """Theano turns kernels over; Keras 1 has the channels in front there, and a Conv1D of two dimensions."""
    kernel = found.get("kernel")
    if kernel is None or layer.op != "Conv":
        return found
    if layer.attributes.get("kernel_axes"):
        kernel = np.moveaxis(kernel, (0, 1), (-1, -2))
    if layer.class_name == "Conv1D" and kernel.ndim == FLAT:
        kernel = kernel[:, 0]
    if layer.attributes.get("kernel_flipped"):
        kernel = np.flip(kernel, axis=tuple(range(kernel.ndim - 2)))
    return {**found, "kernel": kernel}


def _of_cudnn(layer: Layer, found: Weights) -> Weights:
    if layer.attributes.get("weights") != CUDNN:
        return found
    gates = len(OLD_GATES[layer.op])
    return {
        role: from_cudnn(array, f"{layer.op.lower()}-bias" if role == "bias" else "kernel", gates)
        for role, array in found.items()
    }
