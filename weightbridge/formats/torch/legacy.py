"""PyTorch's files from before 1.6: five pickles, then raw storages; nothing is executed."""

import mmap
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from weightbridge.errors import Corrupt, MissingFile, Unsupported
from weightbridge.formats.containers import Region
from weightbridge.formats.state_dicts import StateDict, asked_of, graph_of
from weightbridge.formats.torch.globals import MAGIC, PROTOCOL
from weightbridge.formats.torch.graph import producer_of, state_dict
from weightbridge.formats.torch.pickle import DAMAGED, PICKLE_LIMIT, Pickled, interpret
from weightbridge.formats.torch.tensors import Place, Source, storage_bytes
from weightbridge.formats.torch.values import Storage
from weightbridge.model.graph import LayerGraph

COUNT = 8  # bytes of the number of elements before each storage


def read(path: Path, arguments: Mapping[str, Any] | None = None) -> LayerGraph:
    """The layers of the model in a file. Raises a ModelError, or UsageError for a wrong argument."""
    asked = asked_of(arguments)
    state, producer = read_state(path, asked.weights)
    return graph_of(str(path), "torch-legacy", producer, state, asked)


def read_state(path: Path, wanted: str = "") -> tuple[StateDict, str]:
    """The state dict of one file, and who wrote it."""
    pickled, source = _opened(path)
    return state_dict(pickled, source, wanted), producer_of(pickled.value)


def _opened(path: Path) -> tuple[Pickled, Source]:
    where = str(path)
    size = path.stat().st_size
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), min(size, PICKLE_LIMIT), access=mmap.ACCESS_READ) as data,
        ):
            is_big = _preamble(data, where, size)
            pickled = interpret(data, f"{where}: the model's pickle", size)
            keys = interpret(data, f"{where}: the list of storages", size).value
            storages = _listed(keys, pickled.storages, where)
            file.seek(data.tell())
            places = dict(_places(path, file, size, storages))
    except (OSError, ValueError) as error:
        raise MissingFile(f"cannot be read: {error}", where=where, fix="Check its permissions") from error
    return pickled, Source(where, places.get, is_big)


def _preamble(data: mmap.mmap, where: str, size: int) -> bool:
    """The magic number, the version and the system that wrote it. True for big-endian numbers."""
    magic, protocol, system = (interpret(data, f"{where}: its beginning", size).value for _ in range(3))
    if magic != MAGIC or not isinstance(system, dict):
        raise Corrupt("its beginning is not PyTorch's", where=where, fix=DAMAGED)
    if protocol != PROTOCOL:
        raise Unsupported(
            f"version {str(protocol)[:20]} of PyTorch's legacy format",
            where=where,
            fix="Save it with today's torch.save",
        )
    return system.get("little_endian") is False


def _listed(keys: Any, storages: Mapping[str, Storage], where: str) -> Iterator[Storage]:
    """The storages in the order in which they lie in the file."""
    if not isinstance(keys, list) or len(set(map(str, keys))) < len(keys):
        raise Corrupt("the list of storages is none, or names one twice", where=where, fix=DAMAGED)
    for key in map(str, keys):
        if key not in storages:
            raise Corrupt(f"a storage {key[:80]!r} that no tensor has", where=where, fix=DAMAGED)
        yield storages[key]


def _places(
    path: Path, file: BinaryIO, size: int, storages: Iterator[Storage]
) -> Iterator[tuple[str, Place]]:
    """Where each storage's bytes lie.

    Raises Corrupt where the file has another size than the pickle says, or ends before them.
    """
    for storage in storages:
        count = file.read(COUNT)
        region = Region(path, file.tell(), storage_bytes(storage), f"{path}: storage {storage.key[:80]}")
        _check_storage(storage, count, region, size)
        yield storage.key, Place(region.size, partial(_same, region))
        file.seek(region.size, 1)
    if file.read(1):
        raise Corrupt("there are bytes behind the last storage", where=str(path), fix=DAMAGED)


def _check_storage(storage: Storage, count: bytes, region: Region, size: int) -> None:
    """The storage lies inside the file, and has as many elements as the pickle says."""
    where = region.label
    if len(count) < COUNT or region.start + region.size > size:
        raise Corrupt(
            f"the file ends at byte {size}, its {region.size} bytes begin at {region.start}",
            where=where,
            fix=DAMAGED,
        )
    elements = int.from_bytes(count, "little")
    if elements not in (storage.elements, _swapped(storage.elements)):
        raise Corrupt(f"{elements} elements, the pickle says {storage.elements}", where=where, fix=DAMAGED)


def _same(region: Region) -> Region:
    return region


def _swapped(count: int) -> int:
    """A count as a big-endian machine writes it."""
    return int.from_bytes(count.to_bytes(COUNT, "big"), "little")
