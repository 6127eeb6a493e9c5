"""Constants of a frozen graph (TensorProto) -> tensors: sizes checked first, values read when wanted."""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.tensorflow.bundle.entries import DTYPES, parse_shape
from weightbridge.formats.wire import LENGTH, Buffer, Span, fields, floats, integers, span_of
from weightbridge.model.tensors import Array, Tensor, dtype_of

TYPED: Mapping[str, tuple[int, ...]] = {
    "float32": (5,),
    "float64": (6,),
    "int32": (7,),
    "int64": (10,),
    "int8": (7,),
    "uint8": (7,),
    "int16": (7,),
    "uint16": (7,),
    "bool": (11,),
}
BITS = {"float16": 13, "bfloat16": 13}
FLOOR, RATIO = 64 << 20, 200
STATISTICS = ("moving_mean", "moving_variance")


class Constant(NamedTuple):
    """A constant's name, and where its TensorProto lies."""

    name: str
    value: Span


class Header(NamedTuple):
    """What a TensorProto declares. dtype: numpy's name, "" for a type that is no number."""

    dtype: str
    shape: tuple[int, ...]


def dtype_of_constant(data: Buffer, constant: Constant) -> str:
    """numpy's name of its numbers' type, "" where it holds none."""
    return _header(data, constant.value).dtype


def is_weight(data: Buffer, constant: Constant) -> bool:
    """Whether a constant is an array of floating point numbers."""
    dtype, shape = _header(data, constant.value)
    return "float" in dtype and bool(shape) and prod(shape) > 0


def size_of(data: Buffer, constant: Constant) -> int:
    """How many numbers a constant has."""
    return prod(_header(data, constant.value).shape)


def constant_tensor(path: Path, data: Buffer, constant: Constant, role: str) -> Tensor:
    """The tensor of a constant. Raises ResourceBomb or Corrupt where its size does not fit its bytes."""
    where = f"{path}: {constant.name}"
    header = _header(data, constant.value)
    _check_size(data, constant.value, header, where)
    load = partial(_load, where, data, constant.value, header)
    trainable = role not in STATISTICS
    return Tensor(constant.name, role, header.shape, header.dtype, constant.name, load, trainable)


def _header(data: Buffer, value: Span) -> Header:
    dtype = ""
    shape: tuple[int, ...] = ()
    for field in fields(data, value):
        if field.number == 1:
            dtype = DTYPES.get(field.value, "")
        elif field.number == 2:
            shape = parse_shape(data, span_of(field))
    return Header(dtype, shape)


def _check_size(data: Buffer, value: Span, header: Header, where: str) -> None:
    needed = prod(header.shape) * dtype_of(header.dtype).itemsize
    if needed > max(FLOOR, RATIO * len(data)):
        shape = list(header.shape)[:8]
        raise ResourceBomb(f"declares {needed} bytes {shape}, the file has {len(data)}", where=where)
    for field in fields(data, value):
        size = field.end - field.start
        if field.number == 4 and size not in (0, needed):
            shape = list(header.shape)
            raise Corrupt(f"{size} bytes are stored, its shape {shape} needs {needed}", where=where)


def _load(where: str, data: Buffer, value: Span, header: Header) -> Array:
    """The values: raw bytes, or a list of numbers whose last one is repeated."""
    dtype = dtype_of(header.dtype)
    raw = _raw(data, value)
    if raw:
        return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype).reshape(header.shape)
    count = prod(header.shape)
    if not count:
        return np.zeros(header.shape, dtype)
    numbers = _numbers(data, value, header.dtype)
    if numbers.size > count:
        raise Corrupt(
            f"{numbers.size} values, its shape {list(header.shape)} has {count}",
            where=where,
            fix="Copy the folder again",
        )
    repeated = np.full(count - numbers.size, numbers[-1], dtype)
    return np.concatenate([numbers, repeated]).reshape(header.shape)


def _raw(data: Buffer, value: Span) -> bytes:
    for field in fields(data, value):
        if field.number == 4 and field.wire == LENGTH and field.end > field.start:
            return bytes(data[field.start : field.end])
    return b""


def _numbers(data: Buffer, value: Span, name: str) -> Array:
    """The values of the fields for a dtype; one zero where there are none."""
    dtype = dtype_of(name)
    read: Callable[..., Array] = floats if dtype.kind == "f" else integers
    parts: list[Any] = []
    for field in fields(data, value):
        if field.number in TYPED.get(name, ()):
            parts.append(read(data, field))
        elif field.number == BITS.get(name):
            bits = integers(data, field).astype(np.uint16)
            parts.append(bits.view(dtype))
    numbers = np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)
    return numbers if numbers.size else np.zeros(1, dtype)
