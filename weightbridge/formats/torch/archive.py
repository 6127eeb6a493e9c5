"""PyTorch's zip archives, TorchScript's too: one pickle, and one member per storage.

Nothing is executed.
"""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.containers import Region, archive, found_region, read_member, refuse_bomb
from weightbridge.formats.state_dicts import StateDict
from weightbridge.formats.torch.graph import producer_of, state_dict
from weightbridge.formats.torch.pickle import DAMAGED, PICKLE_LIMIT, Pickled, interpret
from weightbridge.formats.torch.tensors import Place, Source

PICKLE = "data.pkl"
LONGEST_BYTE_ORDER = 16  # bytes of its record


@dataclass(frozen=True, slots=True)
class Opened:
    """The pickled value of an archive, the sizes of its storages, and who wrote it."""

    pickled: Pickled
    source: Source
    producer: str


def read_state(path: Path, wanted: str = "") -> tuple[StateDict, str]:
    """The state dict of an archive, and who wrote it. Raises a ModelError."""
    opened = _opened(path)
    return state_dict(opened.pickled, opened.source, wanted), opened.producer


def _opened(path: Path) -> Opened:
    with archive(path) as opened:
        members = _members(path, opened)
        pickle = next(name for name in members if name == PICKLE or name.endswith(f"/{PICKLE}"))
        folder = pickle.removesuffix(PICKLE)
        where = f"{path}: {pickle}"
        _check_pickle_size(members[pickle], where)
        data = read_member(opened, pickle, str(path))
        is_big = _byte_order(opened, members, f"{folder}byteorder", path)
    has_code = any(name.startswith(f"{folder}code/") for name in members)
    is_script = has_code and f"{folder}constants.pkl" in members
    pickled = interpret(data, where, path.stat().st_size, is_script)
    places = partial(_place, path, members, f"{folder}data/")
    producer = "TorchScript" if is_script else producer_of(pickled.value)
    return Opened(pickled, Source(str(path), places, is_big), producer)


def _members(path: Path, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name. Raises Corrupt for two of one name, or two that lie over each other."""
    infos = opened.infolist()
    members = {info.filename: info for info in infos}
    if len(members) < len(infos):
        names = [info.filename for info in infos]
        twice = next(name for name in members if names.count(name) > 1)
        raise Corrupt(f"the archive has several members called {twice}", where=str(path), fix=DAMAGED)
    in_order = sorted(infos, key=lambda info: info.header_offset)
    for info, after in pairwise(in_order):
        if info.header_offset + info.compress_size > after.header_offset:
            raise Corrupt(
                f"the members {info.filename} and {after.filename} lie over each other",
                where=str(path),
                fix=DAMAGED,
            )
    return members


def _check_pickle_size(info: zipfile.ZipInfo, where: str) -> None:
    if info.file_size > PICKLE_LIMIT:
        raise ResourceBomb(
            f"a pickle of {info.file_size} bytes",
            where=where,
            fix="Save the state dict alone, as safetensors",
        )


def _byte_order(
    opened: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, path: Path
) -> bool:
    """Whether the numbers are big-endian; files of PyTorch before 2.1 do not say it, and are not."""
    if name not in members:
        return False
    is_short = members[name].file_size <= LONGEST_BYTE_ORDER
    order = read_member(opened, name, str(path)) if is_short else b""
    if order not in (b"little", b"big"):
        raise Corrupt("the byte order is neither little nor big", where=f"{path}: {name}", fix=DAMAGED)
    return order == b"big"


def _place(path: Path, members: Mapping[str, zipfile.ZipInfo], folder: str, key: str) -> Place | None:
    info = members.get(folder + key)
    if info is None:
        return None
    refuse_bomb(info, str(path))
    region: Callable[[], Region] = partial(found_region, path, info)
    if info.compress_type != zipfile.ZIP_STORED:
        region = cache(region)  # unpacked once
    return Place(info.file_size, region)
