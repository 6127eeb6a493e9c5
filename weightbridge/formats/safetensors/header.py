"""The header of a safetensors file: the tensors that it declares, checked against the file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from weightbridge.errors import Corrupt, MissingFile, ModelError, ResourceBomb

HEADER_LIMIT = 100_000_000  # bytes; the format's own limit
MOST = 1 << 60  # elements; numpy refuses a larger shape even where it is empty
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
    """The header of a file.

    Raises Corrupt or ResourceBomb where it does not fit the file; all tensors are checked.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            if size < 10 or length > min(HEADER_LIMIT, size - 8):
                raise _misfit(path, size, length)
            data = file.read(length)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(path), fix="Check the path and its permissions"
        ) from error
    declared = _parsed(path, data)
    metadata = declared.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Corrupt("__metadata__ must map text to text", where=str(path), fix=DAMAGED)
    entries = tuple(
        sorted(
            (_entry(path, name, value, 8 + length) for name, value in declared.items()),
            key=lambda e: (e.start, e.nbytes, e.name),
        )
    )
    _check_places(path, entries, 8 + length, size)
    return Header(entries, metadata)


def _misfit(path: Path, size: int, length: int) -> ModelError:
    kind: type[ModelError] = ResourceBomb if length > HEADER_LIMIT else Corrupt
    return kind(f"a header of {length} bytes is declared, the file has {size}", where=str(path), fix=DAMAGED)


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"the header is no valid JSON: {error}", where=str(path), fix=DAMAGED) from error
    if not isinstance(found, dict):
        raise Corrupt("the header is no JSON object", where=str(path), fix=DAMAGED)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} occurs twice")
    return found


def _entry(path: Path, name: str, value: Any, origin: int) -> Entry:
    where = f"{path}: {name}"
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise Corrupt(
            "a tensor needs dtype, shape and data_offsets, and nothing else", where=where, fix=DAMAGED
        )
    shape, offsets = value["shape"], value["data_offsets"]
    if not isinstance(value["dtype"], str) or value["dtype"] not in DTYPES:
        raise Corrupt(
            f"the dtype {str(value['dtype'])[:80]!r} is none of safetensors'", where=where, fix=DAMAGED
        )
    if not (
        _are_counts(shape)
        and _are_counts(offsets)
        and len(offsets) == 2
        and offsets[0] <= offsets[1]
        and len(shape) <= 64
    ):
        raise Corrupt(
            f"shape {str(shape)[:80]} and data_offsets {str(offsets)[:80]} are no sizes",
            where=where,
            fix=DAMAGED,
        )
    dtype, bits = DTYPES[value["dtype"]]
    return Entry(name, dtype, bits, tuple(shape), origin + offsets[0], offsets[1] - offsets[0])


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in values)


def _check_places(path: Path, entries: tuple[Entry, ...], origin: int, size: int) -> None:
    """Each tensor has the size of its shape, follows the one before, and the last one ends the file."""
    end = origin
    for entry in entries:
        where = f"{path}: {entry.name}"
        needed = -(-prod(entry.shape) * entry.bits // 8)
        if needed > size or prod(max(n, 1) for n in entry.shape) >= MOST:
            raise ResourceBomb(
                f"declares {needed} bytes {list(entry.shape)}, the file has {size}", where=where, fix=DAMAGED
            )
        if needed != entry.nbytes:
            raise Corrupt(
                f"its data_offsets hold {entry.nbytes} bytes, its shape {list(entry.shape)} needs {needed}",
                where=where,
                fix=DAMAGED,
            )
        if entry.start != end:
            kind = "overlaps with the tensor before it" if entry.start < end else "leaves a gap before it"
            raise Corrupt(
                f"its data begins at byte {entry.start} and {kind}, expected byte {end}",
                where=where,
                fix=DAMAGED,
            )
        end += entry.nbytes
        if end > size:
            raise Corrupt(f"its data ends at byte {end}, the file has {size}", where=where, fix=DAMAGED)
    if end != size:
        raise Corrupt(f"{size - end} bytes behind the last tensor", where=str(path), fix=DAMAGED)
