"""PyTorch's zip archives, TorchScript's too: one pickle, and one member per storage.

Nothing is executed.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.containers import archive, found_region, read_member, refuse_bomb
from weightbridge.formats.state_dicts import StateDict
from weightbridge.formats.torch.graph import producer_of, state_dict
from weightbridge.formats.torch.pickle import DAMAGED, PICKLE_LIMIT, interpret
from weightbridge.formats.torch.tensors import Place, Source


@dataclass(frozen=True, slots=True)
class Opened:
    """The pickled value of an archive, the sizes of its storages, and who wrote it."""

    root: Any
    source: Source
    producer: str


def read_state(path: Path) -> tuple[StateDict, str]:
    """The state dict of an archive, and who wrote it. Raises a ModelError."""
    opened = _opened(path)
    return state_dict(opened.root, opened.source), opened.producer


def _opened(path: Path) -> Opened:
    with archive(path) as opened:
        members = _members(path, opened)
        pickle = next(n for n in members if n == "data.pkl" or n.endswith("/data.pkl"))
        folder = pickle.removesuffix("data.pkl")
        if members[pickle].file_size > PICKLE_LIMIT:
            size = members[pickle].file_size
            raise ResourceBomb(
                f"a pickle of {size} bytes",
                where=f"{path}: {pickle}",
                fix="Save the state dict alone, as safetensors",
            )
        data = read_member(opened, pickle, str(path))
        is_big = _byte_order(opened, members, f"{folder}byteorder", path)
    is_script = f"{folder}constants.pkl" in members and any(n.startswith(f"{folder}code/") for n in members)
    root = interpret(data, f"{path}: {pickle}", path.stat().st_size, is_script).value
    places = partial(_place, path, members, f"{folder}data/")
    return Opened(root, Source(str(path), places, is_big), "TorchScript" if is_script else producer_of(root))


def _members(path: Path, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name. Raises Corrupt for two of one name, or two that lie over each other."""
    infos = opened.infolist()
    found = {info.filename: info for info in infos}
    if len(found) < len(infos):
        names = [info.filename for info in infos]
        twice = next(n for n in found if names.count(n) > 1)
        raise Corrupt(f"the archive has several members called {twice}", where=str(path), fix=DAMAGED)
    for one, after in pairwise(sorted(infos, key=lambda info: info.header_offset)):
        if one.header_offset + one.compress_size > after.header_offset:
            raise Corrupt(
                f"the members {one.filename} and {after.filename} lie over each other",
                where=str(path),
                fix=DAMAGED,
            )
    return found


def _byte_order(
    opened: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, path: Path
) -> bool:
    """Whether the numbers are big-endian.

    Files of PyTorch before 2.1 have no record, and are little-endian.
    """
    if name not in members:
        return False
    if members[name].file_size > 16 or (order := opened.read(name)) not in (b"little", b"big"):
        raise Corrupt("the byte order is neither little nor big", where=f"{path}: {name}", fix=DAMAGED)
    return order == b"big"


def _place(path: Path, members: Mapping[str, zipfile.ZipInfo], folder: str, key: str) -> Place | None:
    info = members.get(folder + key)
    if info is None:
        return None
    refuse_bomb(info, str(path))
    region = partial(found_region, path, info)
    return Place(
        info.file_size, region if info.compress_type == zipfile.ZIP_STORED else cache(region)
    )  # unpacked once
