"""The bytes of ONNX tensors: where they lie, checked before anything is read; read one at a time."""

from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from weightbridge.errors import Corrupt, MissingFile, ResourceBomb, Unsupported
from weightbridge.formats.onnx.external import DAMAGED, Place, external_place
from weightbridge.formats.onnx.proto import (
    DOUBLE_DATA,
    FLOAT_DATA,
    INT32_DATA,
    INT64_DATA,
    STRING_DATA,
    UINT64_DATA,
    Scaling,
    TensorHeader,
)
from weightbridge.formats.streamed import LittleEndian, Run
from weightbridge.formats.wire import LENGTH, Span, fields, floats, integers
from weightbridge.model.tensors import Array, dtype_of

DTYPES: dict[int, str] = {  # TensorProto.DataType, by numpy's names
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    24: "float8_e8m0fnu",
}
HALF_BYTES: dict[int, str] = {21: "uint4", 22: "int4", 23: "float4_e2m1fn"}  # two values a byte
UINT4, INT4 = 21, 22
NIBBLES = (UINT4, INT4)
QUARTER_BYTES: dict[int, str] = {25: "uint2", 26: "int2"}
STRING = 8
FIELD_OF: dict[int, int] = {
    1: FLOAT_DATA,
    14: FLOAT_DATA,
    7: INT64_DATA,
    11: DOUBLE_DATA,
    15: DOUBLE_DATA,
    12: UINT64_DATA,
    13: UINT64_DATA,
    8: STRING_DATA,
}
COMPLEX = (14, 15)
PACKED = (1, 11, *COMPLEX)  # element types whose packed fields are laid out as raw bytes are
MOST = 1 << 60  # elements


def dtype_name(header: TensorHeader) -> str:
    """numpy's name of the element type. Raises Corrupt for a number that ONNX does not define."""
    if header.scaling is not None:
        return dtype_name(header.scaling.scale)
    for table in (DTYPES, HALF_BYTES, QUARTER_BYTES, {STRING: "string"}):
        if header.elem_type in table:
            return table[header.elem_type]
    raise Corrupt(
        f"tensor {header.name!r} has element type {header.elem_type}, which ONNX does not define", fix=DAMAGED
    )


def stored_bytes(header: TensorHeader) -> int:
    """How many bytes the shape and the type ask for; those of strings are not known."""
    count = prod(header.dims)
    if header.elem_type in DTYPES:
        return count * dtype_of(DTYPES[header.elem_type]).itemsize
    return -(-count // (2 if header.elem_type in HALF_BYTES else 4))


def check(path: Path, header: TensorHeader, file_size: int) -> Place | None:
    """Where the raw bytes are, None where the values stand in typed fields.

    Raises a ModelError where they cannot be there.
    """
    if header.rows is not None:
        whole = check(path, header.whole, file_size)
        return None if whole is None else _place_of_rows(whole, header)
    dtype_name(header)
    where = f"{path}: {header.name}"
    if prod(max(n, 1) for n in header.dims) >= MOST:  # numpy refuses such a shape even where it is empty
        raise ResourceBomb(f"declares the shape {list(header.dims)}", where=where, fix=DAMAGED)
    if header.elem_type == STRING:
        return None
    if header.external is not None:
        return external_place(path, header, stored_bytes(header))
    return _embedded_place(path, header, file_size)


def _place_of_rows(whole: Place, header: TensorHeader) -> Place:
    size = dtype_of(DTYPES[header.elem_type]).itemsize
    return Place(whole.path, whole.start + header.skipped * size, prod(header.dims) * size)


def _embedded_place(path: Path, header: TensorHeader, file_size: int) -> Place | None:
    """The place of a tensor that the model's own file holds; None where it stands in typed fields."""
    expected, where, dims = stored_bytes(header), f"{path}: {header.name}", list(header.dims)
    held = _held_bytes(header)
    if expected > max(file_size, held):
        message = f"declares {expected} bytes {dims}, the file holds {file_size}"
        raise ResourceBomb(message, where=where, fix=DAMAGED)
    if header.raw:
        if held != expected:
            raise Corrupt(f"holds {held} bytes, its shape {dims} needs {expected}", where=where, fix=DAMAGED)
        return Place(path, header.raw.start, expected)
    # a number takes a byte at least; small types are packed first
    fewest = prod(header.dims) if header.elem_type in DTYPES else expected
    is_absent = expected > 0 and not header.typed
    if fewest > held or is_absent:
        raise Corrupt(f"holds {held} bytes, too few for its shape {dims}", where=where, fix=DAMAGED)
    return _packed_place(path, header, expected)


def _held_bytes(header: TensorHeader) -> int:
    if header.raw:
        return header.raw.end - header.raw.start
    return sum(field.end - field.start for field in header.typed)


def _packed_place(path: Path, header: TensorHeader, expected: int) -> Place | None:
    """One packed run of floats is laid out as raw bytes are."""
    if header.elem_type not in PACKED or len(header.typed) != 1:
        return None
    run = header.typed[0]
    has_length = run.wire == LENGTH and run.end - run.start == expected
    if not has_length or run.number != FIELD_OF[header.elem_type]:
        return None
    return Place(path, run.start, expected)


def loader(path: Path, header: TensorHeader, place: Place | None) -> Callable[[], Array]:
    """What reads the tensor's bytes when it is called."""
    if place is None:
        return partial(_from_fields, path, header)
    load = partial(_from_place, place, header)
    if header.elem_type not in DTYPES:
        return load
    return LittleEndian(load, Run(place.path, place.start, place.nbytes, f"{place.path}: {header.name}"))


def scaled(codes: Array, scaling: Scaling, scale: Array, zero: Array | None, factor: Array | None) -> Array:
    """What DequantizeLinear makes of a tensor."""
    moved = codes.astype(np.float32)
    if zero is not None:
        moved = moved - _along(zero.astype(np.float32), moved.shape, scaling)
    floats = moved * _along(scale.astype(np.float32), moved.shape, scaling)
    if factor is not None:
        floats = floats * factor.astype(np.float32).reshape(-1)
    return np.asarray(floats, scale.dtype)


def _along(values: Array, shape: tuple[int, ...], scaling: Scaling) -> Array:
    """One value for all codes, or one for each place along the axis, as what codes can be multiplied with."""
    axis = scaling.axis % len(shape) if shape else 0
    if values.size == 1:
        return values.reshape(-1)[:1].reshape([1] * len(shape))
    if scaling.block:
        repeated = np.repeat(values, scaling.block, axis=axis)
        return np.take(repeated, range(shape[axis]), axis=axis)
    return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def _from_place(place: Place, header: TensorHeader) -> Array:
    where = f"{place.path}: {header.name}"
    _check_supported(header, where)
    try:
        with place.path.open("rb") as file:
            file.seek(place.start)
            values = np.fromfile(file, np.uint8, place.nbytes)
    except OSError as error:
        message, fix = f"cannot be read: {error.strerror}", "Check its permissions"
        raise MissingFile(message, where=str(place.path), fix=fix) from error
    if values.size != place.nbytes:
        raise Corrupt(f"{place.nbytes} bytes expected, {values.size} found", where=where, fix=DAMAGED)
    if header.elem_type in NIBBLES:
        return _from_nibbles(values, header)
    dtype = dtype_of(DTYPES[header.elem_type]).newbyteorder("<")
    return values.view(dtype).reshape(header.dims)


def _from_nibbles(stored: Array, header: TensorHeader) -> Array:
    """Two values a byte, the first one in the lower half."""
    halves = np.stack([stored & 15, stored >> 4], axis=-1).reshape(-1)[: prod(header.dims)]
    values = halves.astype(np.int8)
    if header.elem_type == INT4:
        values = np.where(values > 7, values - 16, values).astype(np.int8)
    return values.reshape(header.dims)


def _check_supported(header: TensorHeader, where: str) -> None:
    if header.elem_type not in DTYPES and header.elem_type not in NIBBLES:
        fix = "Export the model with float or 8-bit weights"
        raise Unsupported(f"the type {dtype_name(header)} is not supported", where=where, fix=fix)


def _from_fields(path: Path, header: TensorHeader) -> Array:
    """Values that are not stored as raw bytes: varints, or floats one by one."""
    if header.rows is not None:
        first, count = header.rows[0], header.dims[0]
        return _from_fields(path, header.whole)[first : first + count]
    where = f"{path}: {header.name}"
    _check_supported(header, where)
    values = _typed(_stored_numbers(path, header), header)
    count = prod(header.dims)
    if values.size != count:
        message = f"holds {values.size} values, its shape {list(header.dims)} needs {count}"
        raise Corrupt(message, where=where, fix=DAMAGED)
    return values.reshape(header.dims)


def _stored_numbers(path: Path, header: TensorHeader) -> Array:
    """The numbers in the field of the tensor's type, as the file has them."""
    with path.open("rb") as file:
        file.seek(header.span.start)
        data = file.read(header.span.end - header.span.start)
    number = FIELD_OF.get(header.elem_type, INT32_DATA)
    read = floats if number in (FLOAT_DATA, DOUBLE_DATA) else integers
    whole = Span(0, len(data))
    parts = [read(data, field) for field in fields(data, whole) if field.number == number]
    return np.concatenate(parts) if parts else np.empty(0)


def _typed(numbers: Array, header: TensorHeader) -> Array:
    """Half floats and 8-bit types are stored as the integer of their bits, complex ones as two floats."""
    if header.elem_type in NIBBLES:
        return _from_nibbles(numbers.astype(np.uint8), header).reshape(-1)
    dtype = dtype_of(DTYPES[header.elem_type])
    if header.elem_type in COMPLEX:
        return numbers.view(dtype)
    are_bits = dtype.kind not in "iubf" or dtype.itemsize < 4
    if are_bits:
        return numbers.astype(f"u{dtype.itemsize}").view(dtype)
    return numbers.astype(dtype, copy=False)
