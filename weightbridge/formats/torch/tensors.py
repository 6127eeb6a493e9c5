"""Tensors as views of storages, checked against the file's bytes and read when they are wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from weightbridge.errors import Corrupt, MissingFile, ResourceBomb
from weightbridge.formats.containers import BOMB_FLOOR, Region
from weightbridge.formats.torch.globals import BYTES, UNTYPED
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
    place = source.place(stored.storage.key)
    if place is None:
        raise Corrupt(
            f"the file lacks the storage {stored.storage.key[:80]!r} that holds it", where=where, fix=DAMAGED
        )
    _check_storage(stored.storage, place.size, where)
    _check_view(stored, place.size, where)
    return Tensor(
        name, "", stored.shape, stored.dtype, name, partial(_load, stored, place, source.is_big, where)
    )


def identity(stored: StoredTensor) -> tuple[Any, ...]:
    """Equal for tensors that are one: the same elements of the same storage in the same order."""
    start = (stored.storage.start + stored.offset) * BYTES[stored.dtype]
    return stored.storage.key, start, stored.shape, stored.strides, stored.dtype


def storage_bytes(storage: Storage) -> int:
    """The size that a storage declares; packed dtypes count as bytes."""
    return storage.elements * (1 if storage.dtype == UNTYPED else BYTES.get(storage.dtype, 1))


def _check_storage(storage: Storage, size: int, where: str) -> None:
    needed = storage_bytes(storage)
    if needed > size:
        raise Corrupt(
            f"its storage declares {needed} bytes, the file has {size} of them", where=where, fix=DAMAGED
        )


def _check_view(stored: StoredTensor, size: int, where: str) -> None:
    width, count = BYTES[stored.dtype], prod(stored.shape)
    if prod(max(n, 1) for n in stored.shape) >= MOST:
        raise ResourceBomb(
            f"declares the shape {list(stored.shape)}, its storage has {size} bytes", where=where, fix=DAMAGED
        )
    end = _start(stored) + _span(stored)
    if count and end * width > size:
        kind = ResourceBomb if count * width > size else Corrupt
        raise kind(
            f"shape {list(stored.shape)} needs {end * width} bytes of its storage, which has {size}",
            where=where,
            fix=DAMAGED,
        )
    if count * width > max(size, BOMB_FLOOR):
        raise ResourceBomb(
            f"expands to {count * width} bytes from a storage of {size}",
            where=where,
            fix="Save it with .contiguous()",
        )


def _start(stored: StoredTensor) -> int:
    return stored.storage.start + stored.offset


def _span(stored: StoredTensor) -> int:
    """Elements of the storage from the view's first to its last, both counted."""
    return (
        1 + sum((n - 1) * stride for n, stride in zip(stored.shape, stored.strides, strict=True))
        if prod(stored.shape)
        else 0
    )


def _load(stored: StoredTensor, place: Place, is_big: bool, where: str) -> Array:
    width, count = BYTES[stored.dtype], _span(stored)
    try:
        region = place.region()
        with region.path.open("rb") as file:
            file.seek(region.start + _start(stored) * width)
            found = np.fromfile(file, np.uint8, count * width)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=where, fix="Check its permissions"
        ) from error
    if found.size != count * width:
        raise Corrupt(f"{count * width} bytes expected, {found.size} found", where=where, fix=DAMAGED)
    dtype = dtype_of(stored.dtype)
    if is_big:
        part = width // 2 if dtype.kind == "c" else width
        found = np.ascontiguousarray(found.reshape(-1, part)[:, ::-1]).reshape(-1)
    if not count:
        return np.empty(stored.shape, dtype)
    strides = tuple(stride * width for stride in stored.strides)
    return np.array(np.ndarray(stored.shape, dtype, found.data, 0, strides), order="C")
