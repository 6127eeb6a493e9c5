"""Frozen graphs of TensorFlow 1: weights are constants, their roles come from their readers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from weightbridge.errors import Corrupt, ModelError, ResourceBomb
from weightbridge.formats.keras.variables.loose import chain
from weightbridge.formats.tensorflow.bundle_entries import DTYPES, parse_shape
from weightbridge.formats.wire import LENGTH, Buffer, Span, fields, floats, integers, span_of, text
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor, dtype_of

READS: Mapping[
    str, tuple[str, Mapping[int, str]]
] = {  # operation -> canonical op, and the roles of its inputs
    "Conv2D": ("Conv", {1: "kernel"}),
    "Conv3D": ("Conv", {1: "kernel"}),
    "DepthwiseConv2dNative": ("DepthwiseConv", {1: "kernel"}),
    "Conv2DBackpropInput": ("ConvTranspose", {1: "kernel"}),
    "MatMul": ("Dense", {1: "kernel"}),
    "BatchMatMul": ("Dense", {1: "kernel"}),
    "BatchMatMulV2": ("Dense", {1: "kernel"}),
    "BiasAdd": ("Shift", {1: "shift"}),
    **dict.fromkeys(("Add", "AddV2"), ("Shift", {1: "shift"})),
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
        ("BatchNorm", {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"}),
    ),
}
BIASES = ("BiasAdd", "Add", "AddV2")
PASSING = ("Identity", "StopGradient", "CheckNumerics")
TYPED: Mapping[str, tuple[int, ...]] = {
    "float32": (5,),
    "float64": (6,),
    "int32": (7,),
    "int64": (10,),
    "int8": (7,),
    "uint8": (7,),
}
BITS = {"float16": 13, "bfloat16": 13}
FLOOR, RATIO = 64 << 20, 200


@dataclass(frozen=True, slots=True)
class Operation:
    """One node: what it does, what feeds it, and where its constant lies."""

    name: str
    op: str
    inputs: tuple[str, ...]
    value: Span | None = None


def constants_graph(path: Path, format: str, data: Buffer, span: Span | None) -> LayerGraph:
    """The layers of a graph whose weights are constants in it. Raises Corrupt where there are none."""
    try:
        layers = _layers(path, data, span) if span else ()
    except ModelError as error:
        raise type(error)(
            error.message, where=error.where or str(path), fix=error.fix or "Copy the folder again"
        ) from error
    if not layers:
        raise Corrupt(
            "the SavedModel holds no weights: no variables, and no constants that a layer reads",
            where=str(path),
            fix="Check it",
        )
    return LayerGraph(path=str(path), format=format, framework="keras", layers=layers, edges=chain(layers))


def _layers(path: Path, data: Buffer, span: Span) -> tuple[Layer, ...]:
    found = (_operation(data, span_of(f)) for f in fields(data, span) if f.number == 1)
    nodes = {node.name: node for node in found}
    used: set[str] = set()
    layers: dict[str, Layer] = {}
    for node in nodes.values():
        op, roles = READS.get(node.op, ("", {}))
        constants = [
            (role, _constant(nodes, node.inputs[i])) for i, role in roles.items() if i < len(node.inputs)
        ]
        tensors = tuple(
            _tensor(path, data, c, role)
            for role, c in constants
            if c is not None and c.name not in used and _is_weight(data, c)
        )
        used.update(t.name for t in tensors)
        before = layers.get(_plain(node.inputs[0])) if node.op in BIASES and node.inputs else None
        if tensors and before is not None and before.tensor("bias") is None:
            bias = replace(tensors[0], role="bias")
            layers[before.name] = replace(
                before, tensors=(*before.tensors, bias), attributes={"use_bias": True}
            )
        elif tensors and node.op not in ("Add", "AddV2"):
            layers[node.name] = Layer(node.name, op, node.op, {"axis": -1} if op == "Shift" else {}, tensors)
    return tuple(layers.values())


def _plain(name: str) -> str:
    """The node of an input, without the number of its output."""
    return name.split(":", maxsplit=1)[0]


def _operation(data: Buffer, span: Span) -> Operation:
    name, op, value = "", "", None
    inputs = []
    for field in fields(data, span):
        if field.number == 1:
            name = text(data, field)
        elif field.number == 2:
            op = text(data, field)
        elif field.number == 3:
            inputs.append(text(data, field))
        elif field.number == 5:
            pair = {f.number: f for f in fields(data, span_of(field))}
            if 1 in pair and 2 in pair and text(data, pair[1]) == "value":
                value = next((span_of(f) for f in fields(data, span_of(pair[2])) if f.number == 8), None)
    return Operation(name, op, tuple(i for i in inputs if not i.startswith("^")), value)


def _constant(nodes: Mapping[str, Operation], name: str) -> Operation | None:
    """The constant that an input is, through operations that only pass it on."""
    for _ in range(len(nodes)):
        node = nodes.get(_plain(name))
        if node is None or node.op not in PASSING or not node.inputs:
            return node if node is not None and node.op == "Const" and node.value is not None else None
        name = node.inputs[0]
    return None


def _header(data: Buffer, node: Operation) -> tuple[str, tuple[int, ...]]:
    assert node.value is not None
    dtype = ""
    shape: tuple[int, ...] = ()
    for field in fields(data, node.value):
        if field.number == 1:
            dtype = DTYPES.get(field.value, "")
        elif field.number == 2:
            shape = parse_shape(data, span_of(field))
    return dtype, shape


def _is_weight(data: Buffer, node: Operation) -> bool:
    dtype, shape = _header(data, node)
    return "float" in dtype and bool(shape) and prod(shape) > 0


def _tensor(path: Path, data: Buffer, node: Operation, role: str) -> Tensor:
    dtype, shape = _header(data, node)
    needed = prod(shape) * dtype_of(dtype).itemsize
    if needed > max(FLOOR, RATIO * len(data)):
        raise ResourceBomb(
            f"declares {needed} bytes {list(shape)[:8]}, the file has {len(data)}",
            where=f"{path}: {node.name}",
        )
    assert node.value is not None
    for field in fields(data, node.value):
        if field.number == 4 and field.end - field.start not in (0, needed):
            stored = f"{field.end - field.start} bytes are stored"
            raise Corrupt(f"{stored}, its shape {list(shape)} needs {needed}", where=f"{path}: {node.name}")
    load = partial(_load, f"{path}: {node.name}", data, node.value, (dtype, shape))
    return Tensor(
        node.name, role, shape, dtype, node.name, load, role not in ("moving_mean", "moving_variance")
    )


def _load(where: str, data: Buffer, span: Span, header: tuple[str, tuple[int, ...]]) -> Array:
    """The values: raw bytes, or a list of numbers whose last one is repeated."""
    dtype, shape = dtype_of(header[0]), header[1]
    parts: list[Any] = []
    for field in fields(data, span):
        if field.number == 4 and field.wire == LENGTH and field.end > field.start:
            return (
                np.frombuffer(bytes(data[field.start : field.end]), dtype.newbyteorder("<"))
                .astype(dtype)
                .reshape(shape)
            )
        if field.number in TYPED.get(header[0], ()):
            read: Callable[..., Array] = floats if dtype.kind == "f" else integers
            parts.append(read(data, field))
        elif field.number == BITS.get(header[0]):
            parts.append(integers(data, field).astype(np.uint16).view(dtype))
    values = np.concatenate(parts).astype(dtype) if parts else np.zeros(1, dtype)
    if values.size > prod(shape):
        raise Corrupt(
            f"{values.size} values, its shape {list(shape)} has {prod(shape)}",
            where=where,
            fix="Copy the folder again",
        )
    return np.concatenate([values, np.full(prod(shape) - values.size, values[-1], dtype)]).reshape(shape)
