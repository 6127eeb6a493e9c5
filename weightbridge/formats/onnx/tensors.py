"""The bytes of ONNX tensors: where they lie, checked before anything is read, and read one tensor at a time."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ModelError, ResourceBomb, Unsupported
from weightbridge.formats.onnx.proto import (
    DOUBLE_DATA,
    FLOAT_DATA,
    INT32_DATA,
    INT64_DATA,
    STRING_DATA,
    UINT64_DATA,
    TensorHeader,
)
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
MOST = 1 << 60  # elements
DAMAGED = "The file may be truncated or damaged: copy or export it again"


@dataclass(frozen=True, slots=True)
class Place:
    """`nbytes` raw bytes of a file from `start` on."""

    path: Path
    start: int
    nbytes: int


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
    """Where the raw bytes are, None where the values stand in typed fields. Raises a ModelError where they
    cannot be there.
    """
    if header.rows is not None:
        found = check(path, header.whole, file_size)
        size = dtype_of(DTYPES[header.elem_type]).itemsize
        return (
            None
            if found is None
            else Place(found.path, found.start + header.skipped * size, prod(header.dims) * size)
        )
    dtype_name(header)
    expected, where = stored_bytes(header), f"{path}: {header.name}"
    if prod(max(n, 1) for n in header.dims) >= MOST:  # numpy refuses such a shape even where it is empty
        raise ResourceBomb(f"declares the shape {list(header.dims)}", where=where, fix=DAMAGED)
    if header.elem_type == STRING:
        return None
    if header.external is not None:
        return _external(path, header, expected)
    held = header.raw.end - header.raw.start if header.raw else sum(f.end - f.start for f in header.typed)
    if expected > max(file_size, held):
        raise ResourceBomb(
            f"declares {expected} bytes {list(header.dims)}, the file holds {file_size}",
            where=where,
            fix=DAMAGED,
        )
    if header.raw:
        if held != expected:
            raise Corrupt(
                f"holds {held} bytes, its shape {list(header.dims)} needs {expected}",
                where=where,
                fix=DAMAGED,
            )
        return Place(path, header.raw.start, expected)
    fewest = (
        prod(header.dims) if header.elem_type in DTYPES else expected
    )  # a number takes a byte at least; small types are packed first
    if fewest > held or (not header.typed and expected):
        raise Corrupt(
            f"holds {held} bytes, too few for its shape {list(header.dims)}", where=where, fix=DAMAGED
        )
    return _packed_place(path, header, expected)


def loader(path: Path, header: TensorHeader, place: Place | None) -> Callable[[], Array]:
    """What reads the tensor's bytes when it is called."""
    return partial(_from_fields, path, header) if place is None else partial(_from_place, place, header)


def scaled(values: Array, scale: Array, zero: Array | None, axis: int) -> Array:
    """What DequantizeLinear makes of a tensor."""
    shape = (
        [1] * values.ndim
        if scale.size == 1
        else [-1 if i == axis % values.ndim else 1 for i in range(values.ndim)]
    )
    moved = (
        values.astype(np.float32)
        if zero is None
        else values.astype(np.float32) - zero.astype(np.float32).reshape(shape)
    )
    return np.asarray(moved * scale.astype(np.float32).reshape(shape), scale.dtype)


def _packed_place(path: Path, header: TensorHeader, expected: int) -> Place | None:
    """One packed run of floats is laid out as raw bytes are."""
    if header.elem_type in (1, 11, 14, 15) and len(header.typed) == 1 and header.typed[0].wire == LENGTH:
        run = header.typed[0]
        if run.end - run.start == expected and run.number == FIELD_OF[header.elem_type]:
            return Place(path, run.start, expected)
    return None


def _from_place(place: Place, header: TensorHeader) -> Array:
    if header.elem_type not in DTYPES:
        fix = "Export the model with float or 8-bit weights"
        raise Unsupported(
            f"the type {dtype_name(header)} is not supported", where=f"{place.path}: {header.name}", fix=fix
        )
    dtype = dtype_of(DTYPES[header.elem_type]).newbyteorder("<")
    try:
        with place.path.open("rb") as file:
            file.seek(place.start)
            values = np.fromfile(file, np.uint8, place.nbytes)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(place.path), fix="Check its permissions"
        ) from error
    if values.size != place.nbytes:
        raise Corrupt(
            f"{place.nbytes} bytes expected, {values.size} found",
            where=f"{place.path}: {header.name}",
            fix=DAMAGED,
        )
    return values.view(dtype).reshape(header.dims)


def _from_fields(path: Path, header: TensorHeader) -> Array:
    """Values that are not stored as raw bytes: varints, or floats one by one."""
    if header.rows is not None:
        return _from_fields(path, header.whole)[header.rows[0] : header.rows[0] + header.dims[0]]
    where = f"{path}: {header.name}"
    if header.elem_type not in DTYPES:
        raise Unsupported(
            f"the type {dtype_name(header)} is not supported",
            where=where,
            fix="Export the model with float or 8-bit weights",
        )
    with path.open("rb") as file:
        file.seek(header.span.start)
        data = file.read(header.span.end - header.span.start)
    number = FIELD_OF.get(header.elem_type, INT32_DATA)
    read = floats if number in (FLOAT_DATA, DOUBLE_DATA) else integers
    parts = [read(data, f) for f in fields(data, Span(0, len(data))) if f.number == number]
    values = np.concatenate(parts) if parts else np.empty(0)
    dtype = dtype_of(DTYPES[header.elem_type])
    if header.elem_type in (14, 15):
        values = values.view(dtype)
    elif (
        dtype.kind not in "iubf" or dtype.itemsize < 4
    ):  # half floats and 8-bit types are stored as the integer of their bits
        values = values.astype(f"u{dtype.itemsize}").view(dtype)
    if values.size != prod(header.dims):
        raise Corrupt(
            f"holds {values.size} values, its shape {list(header.dims)} needs {prod(header.dims)}",
            where=where,
            fix=DAMAGED,
        )
    return values.astype(dtype, copy=False).reshape(header.dims)


def _external(path: Path, header: TensorHeader, expected: int) -> Place:
    """The place in another file, which must lie inside the model's folder and hold what is declared."""
    where = f"{path}: {header.name}"
    entries = header.external or {}
    file = external_file(path, entries.get("location", ""), where)
    try:
        size = os.stat(file, follow_symlinks=False)
    except OSError as error:
        fix = "Put the external data beside the model"
        raise MissingFile(
            f"its data is in {file.name}, which cannot be read: {error.strerror}", where=where, fix=fix
        ) from error
    if not stat.S_ISREG(size.st_mode):
        raise ExternalReference(
            f"its data is in {file.name}, which is no regular file",
            where=where,
            fix="Put the data itself there",
        )
    try:
        start = int(entries.get("offset") or 0)
        length = int(entries.get("length") or size.st_size - start)
    except ValueError as error:
        raise Corrupt(
            "the offset or the length of its external data is no number", where=where, fix=DAMAGED
        ) from error
    if start < 0 or length < 0 or start + length > size.st_size:
        kind: type[ModelError] = ResourceBomb if expected > size.st_size else Corrupt
        raise kind(
            f"bytes {start} to {start + length} of {file.name}, which holds {size.st_size}",
            where=where,
            fix=DAMAGED,
        )
    if length != expected and not (entries.get("length") in (None, "", "0") and length >= expected):
        raise Corrupt(
            f"{length} bytes in {file.name}, its shape {list(header.dims)} needs {expected}",
            where=where,
            fix=DAMAGED,
        )
    return Place(file, start, expected)


def external_file(path: Path, location: str, where: str) -> Path:
    """The file of external data. Raises ExternalReference unless it lies in the model's folder, no link
    followed.
    """
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    outside = (
        posix.is_absolute()
        or windows.is_absolute()
        or windows.drive
        or ".." in posix.parts
        or ".." in windows.parts
    )
    if not location or outside or "\0" in location:
        message = f"its data is said to be in {location!r}, outside the model's folder"
        raise ExternalReference(
            message, where=where, fix="Put the data into the model's folder and name it there"
        )
    file = path.parent
    for part in posix.parts:
        file = file / part
        if file.is_symlink():
            raise ExternalReference(
                f"its data is in {location!r}, reached by a link",
                where=where,
                fix="Put the data itself there",
            )
    return file
