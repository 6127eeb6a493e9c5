"""Tensors as views of storages, checked against the file's bytes and read when they are wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from weightbridge.errors import Corrupt, MissingFile, ResourceBomb
from weightbridge.formats.containers import BOMB_FLOOR, Region
from weightbridge.formats.torch.known_names import BYTES
from weightbridge.formats.torch.pickle import DAMAGED
from weightbridge.formats.torch.values import MOST, Storage, StoredTensor
from weightbridge.model.tensors import Array, Tensor, dtype_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a storage lie. size: in bytes, known before `region` finds (or unpacks) them."""

    size: int
    region: Callable[[], Region]


@dataclass(frozen=True, slots=True)
class Source:
    """The storages of one file.

    place: that of a storage's key, None where the file lacks it. is_big: big-endian numbers.
    """

    path: str
    place: Callable[[str], Place | None]
    is_big: bool = False


def tensor_of(source: Source, name: str, stored: StoredTensor) -> Tensor:
    """The tensor, checked. Raises Corrupt or ResourceBomb where it does not fit into its storage."""
    where = f"{source.path}: {name}"
    key = stored.storage.key
    place = source.place(key)
    if place is None:
        raise Corrupt(f"the file lacks the storage {key[:80]!r} that holds it", where=where, fix=DAMAGED)
    _check_storage(stored.storage, place.size, where)
    _check_view(stored, place.size, where)
    load = partial(_load, stored, place, source.is_big, where)
    return Tensor(name, "", stored.shape, stored.dtype, name, load)


def identity(stored: StoredTensor) -> tuple[Any, ...]:
    """Equal for tensors that are one: the same elements of the same storage in the same order."""
    width = BYTES[stored.dtype]
    start = _start(stored) * width
    return stored.storage.key, start, stored.shape, stored.strides, stored.dtype


def storage_bytes(storage: Storage) -> int:
    """The size that a storage declares; packed dtypes count as bytes."""
    return storage.elements * BYTES.get(storage.dtype, 1)


def _check_storage(storage: Storage, size: int, where: str) -> None:
    needed = storage_bytes(storage)
    if needed > size:
        raise Corrupt(
            f"its storage declares {needed} bytes, the file has {size} of them", where=where, fix=DAMAGED
        )


def _check_view(stored: StoredTensor, size: int, where: str) -> None:
    shape = list(stored.shape)
    if prod(max(n, 1) for n in stored.shape) >= MOST:
        raise ResourceBomb(
            f"declares the shape {shape}, its storage has {size} bytes", where=where, fix=DAMAGED
        )
    width = BYTES[stored.dtype]
    expanded = prod(stored.shape) * width
    end = (_start(stored) + _span(stored)) * width
    if expanded and end > size:
        kind = ResourceBomb if expanded > size else Corrupt
        raise kind(
            f"shape {shape} needs {end} bytes of its storage, which has {size}", where=where, fix=DAMAGED
        )
    if expanded > max(size, BOMB_FLOOR):
        raise ResourceBomb(
            f"expands to {expanded} bytes from a storage of {size}",
            where=where,
            fix="Save it with .contiguous()",
        )


def _start(stored: StoredTensor) -> int:
    return stored.storage.start + stored.offset


def _span(stored: StoredTensor) -> int:
    """Elements of the storage from the view's first to its last, both counted."""
    if not prod(stored.shape):
        return 0
    steps = zip(stored.shape, stored.strides, strict=True)
    return 1 + sum((n - 1) * stride for n, stride in steps)


def _load(stored: StoredTensor, place: Place, is_big: bool, where: str) -> Array:
    dtype = dtype_of(stored.dtype)
    width = BYTES[stored.dtype]
    data = _read(place, _start(stored) * width, _span(stored) * width, where)
    if not data.size:
        return np.empty(stored.shape, dtype)
    if is_big:
        number = width // 2 if dtype.kind == "c" else width
        data = np.ascontiguousarray(data.reshape(-1, number)[:, ::-1]).reshape(-1)
    strides = tuple(stride * width for stride in stored.strides)
    view = np.ndarray(stored.shape, dtype, data.data, 0, strides)
    return np.array(view, order="C")


def _read(place: Place, start: int, size: int, where: str) -> Array:
    """Bytes of a storage."""
    try:
        region = place.region()
        with region.path.open("rb") as file:
            file.seek(region.start + start)
            data = np.fromfile(file, np.uint8, size)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=where, fix="Check its permissions"
        ) from error
    if data.size != size:
        raise Corrupt(f"{size} bytes expected, {data.size} found", where=where, fix=DAMAGED)
    return data
