"""The header of a safetensors file: the tensors that it declares, checked against the file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from weightbridge.errors import Corrupt, MissingFile, ModelError, ResourceBomb

HEADER_LIMIT = 100_000_000  # bytes; the format's own limit
LENGTH = 8  # bytes of the number before the header, which says how long it is
SMALLEST = 10  # bytes of a file: the number and an empty object
MOST = 1 << 60  # elements; numpy refuses a larger shape even where it is empty
MOST_AXES = 64
DAMAGED = "The file may be truncated or damaged: copy or download it again"
DTYPES: dict[str, tuple[str, int]] = {  # numpy's name, bits per element
    "BOOL": ("bool", 8),
    "U8": ("uint8", 8),
    "I8": ("int8", 8),
    "U16": ("uint16", 16),
    "I16": ("int16", 16),
    "U32": ("uint32", 32),
    "I32": ("int32", 32),
    "U64": ("uint64", 64),
    "I64": ("int64", 64),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "F32": ("float32", 32),
    "F64": ("float64", 64),
    "C64": ("complex64", 64),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F6_E2M3": ("float6_e2m3fn", 6),
    "F6_E3M2": ("float6_e3m2fn", 6),
    "F4": ("float4_e2m1fn", 4),
}
NAMES: dict[str, str] = {name: code for code, (name, _) in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared tensor. `start` counts from the beginning of the file."""

    name: str
    dtype: str
    bits: int
    shape: tuple[int, ...]
    start: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Header:
    entries: tuple[Entry, ...]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """The header of a file, all tensors checked. Raises Corrupt or ResourceBomb where it does not fit."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(LENGTH), "little")
            if size < SMALLEST or length > min(HEADER_LIMIT, size - LENGTH):
                raise _misfit(path, size, length)
            data = file.read(length)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(path), fix="Check the path and its permissions"
        ) from error
    declared = _parsed(path, data)
    metadata = declared.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Corrupt("__metadata__ must map text to text", where=str(path), fix=DAMAGED)
    origin = LENGTH + length
    entries = [_entry(path, name, value, origin) for name, value in declared.items()]
    entries.sort(key=lambda entry: (entry.start, entry.nbytes, entry.name))
    _check_places(path, entries, origin, size)
    return Header(tuple(entries), metadata)


def _misfit(path: Path, size: int, length: int) -> ModelError:
    kind: type[ModelError] = ResourceBomb if length > HEADER_LIMIT else Corrupt
    message = f"a header of {length} bytes is declared, the file has {size}"
    return kind(message, where=str(path), fix=DAMAGED)


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        declared = json.loads(data.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"the header is no valid JSON: {error}", where=str(path), fix=DAMAGED) from error
    if not isinstance(declared, dict):
        raise Corrupt("the header is no JSON object", where=str(path), fix=DAMAGED)
    return declared


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return value


def _entry(path: Path, name: str, value: Any, origin: int) -> Entry:
    where = f"{path}: {name}"
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise Corrupt(
            "a tensor needs dtype, shape and data_offsets, and nothing else", where=where, fix=DAMAGED
        )
    code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise Corrupt(f"the dtype {str(code)[:80]!r} is none of safetensors'", where=where, fix=DAMAGED)
    if not _is_shape(shape) or not _is_run(offsets):
        raise Corrupt(
            f"shape {str(shape)[:80]} and data_offsets {str(offsets)[:80]} are no sizes",
            where=where,
            fix=DAMAGED,
        )
    dtype, bits = DTYPES[code]
    start, end = offsets
    return Entry(name, dtype, bits, tuple(shape), origin + start, end - start)


def _is_shape(value: Any) -> bool:
    return _are_counts(value) and len(value) <= MOST_AXES


def _is_run(value: Any) -> bool:
    """Whether this is a beginning and an end."""
    if not _are_counts(value) or len(value) != 2:
        return False
    start, end = value
    return bool(start <= end)


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(map(_is_count, values))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _check_places(path: Path, entries: Sequence[Entry], origin: int, size: int) -> None:
    """Each tensor has the size of its shape, follows the one before, and the last one ends the file."""
    end = origin
    for entry in entries:
        where = f"{path}: {entry.name}"
        _check_size(entry, size, where)
        _check_start(entry, end, where)
        end += entry.nbytes
        if end > size:
            raise Corrupt(f"its data ends at byte {end}, the file has {size}", where=where, fix=DAMAGED)
    if end != size:
        raise Corrupt(f"{size - end} bytes behind the last tensor", where=str(path), fix=DAMAGED)


def _check_size(entry: Entry, size: int, where: str) -> None:
    shape = list(entry.shape)
    needed = -(-prod(entry.shape) * entry.bits // 8)
    if needed > size or prod(max(n, 1) for n in entry.shape) >= MOST:
        raise ResourceBomb(f"declares {needed} bytes {shape}, the file has {size}", where=where, fix=DAMAGED)
    if needed != entry.nbytes:
        raise Corrupt(
            f"its data_offsets hold {entry.nbytes} bytes, its shape {shape} needs {needed}",
            where=where,
            fix=DAMAGED,
        )


def _check_start(entry: Entry, end: int, where: str) -> None:
    """end: where the tensor before ends."""
    if entry.start == end:
        return
    kind = "overlaps with the tensor before it" if entry.start < end else "leaves a gap before it"
    raise Corrupt(
        f"its data begins at byte {entry.start} and {kind}, expected byte {end}", where=where, fix=DAMAGED
    )
