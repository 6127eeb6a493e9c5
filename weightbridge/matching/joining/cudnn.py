"""Recurrent weights as CuDNNLSTM and CuDNNGRU keep them, joined as those of LSTM and GRU are.

Each gate's kernel is kept transposed, and input and recurrent biases in one row
(keras 2.15, keras/src/saving/legacy/hdf5_format.py, `_convert_rnn_weights`).
"""

from dataclasses import replace
from typing import Any

from weightbridge.matching.joining.sides import Side, Transform
from weightbridge.matching.units.units import Unit
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import CUDNN, stored_axes
from weightbridge.model.tensors import Tensor

GATES = {"LSTM": 4, "GRU": 3}
BIASES = frozenset({"bias", "recurrent_bias"})
Found = tuple[tuple[str, ...], str, dict[str, Any]]  # sources, transform, parameters


def is_cudnn(layer: Layer) -> bool:
    return layer.attributes.get("weights") == CUDNN


def both_plain(source: Unit, target: Unit) -> tuple[Unit, Unit]:
    """Two units with tensors of one layout, where one of them alone has CuDNN's."""
    if is_cudnn(source.layer) == is_cudnn(target.layer):
        return source, target
    return (_plain_unit(source), target) if is_cudnn(source.layer) else (source, _plain_unit(target))


def plain_sides(source: Side, target: Side) -> tuple[Side, Side]:
    """As `both_plain`, of two tensors."""
    if is_cudnn(source.layer) == is_cudnn(target.layer):
        return source, target
    return (_plain_side(source), target) if is_cudnn(source.layer) else (source, _plain_side(target))


def converted(transform: Transform, source: Layer, target: Layer, role: str) -> Transform:
    """A transform between plain tensors as one from or to CuDNN's, where one layer alone has those."""
    if is_cudnn(source) == is_cudnn(target):
        return transform
    inner, parameters = transform
    gates = GATES[source.op]
    way = "from" if is_cudnn(source) else "to"
    value = f"{source.op.lower()}-bias" if role in BIASES else "kernel"
    return "cudnn", {"way": way, "value": value, "gates": gates, "inner": inner, "parameters": parameters}


def converted_match(found: Found, source: Layer, target: Layer, role: str) -> Found:
    """As `converted`, of a match that may have several sources, or none."""
    sources, transform, parameters = found
    if not sources:
        return found
    return sources, *converted((transform, parameters), source, target, role)


def _plain_unit(unit: Unit) -> Unit:
    layer = _plain_layer(unit.layer)
    tensors = tuple((role, _plain_tensor(layer, tensor)) for role, tensor in unit.tensors)
    return replace(unit, members=(layer, *unit.members[1:]), tensors=tensors)


def _plain_side(side: Side) -> Side:
    layer = _plain_layer(side.layer)
    return replace(side, layer=layer, tensor=_plain_tensor(layer, side.tensor))


def _plain_layer(layer: Layer) -> Layer:
    """The layer as the LSTM or GRU that computes the same would be kept."""
    attributes = {key: value for key, value in layer.attributes.items() if key != "weights"}
    plain = replace(layer, attributes=attributes)
    return replace(plain, tensors=tuple(_plain_tensor(plain, tensor) for tensor in layer.tensors))


def _plain_tensor(layer: Layer, tensor: Tensor) -> Tensor:
    """The tensor with the shape and axes that it has outside of CuDNN."""
    shape = tensor.shape
    if tensor.role == "bias":
        half = tensor.size // 2
        shape = (half,) if layer.op == "LSTM" else (2, half)
    plain = replace(tensor, shape=shape)
    return replace(plain, axes=stored_axes("keras", layer, plain))
