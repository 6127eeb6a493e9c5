"""Keras 3's sharded weights: a JSON map, and the HDF5 files beside it, joined into one tree."""

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path

from weightbridge.errors import Corrupt, ExternalReference, MissingFile
from weightbridge.formats.containers import whole
from weightbridge.formats.hdf5.read import read_tree
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.architecture.config import parse_json

ADDRESS_BITS = 48


def is_shard_map(path: Path) -> bool:
    """Whether the file is JSON and not HDF5."""
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"{"


def read_shards(path: Path) -> tuple[Group, tuple[Path, ...]]:
    """One tree of all shards, and their files.

    Raises ExternalReference for a shard outside the folder, MissingFile for one that is not there.
    """
    value = parse_json(path.read_bytes(), str(path))
    weights = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(weights, dict):
        raise Corrupt("the map of shards has no weight_map", where=str(path), fix="Save the weights again")
    names = _names(weights)
    shards = tuple(_shard(path, names[text]) for text in sorted(names))
    if not shards:
        raise Corrupt("the map of shards names no shard", where=str(path), fix="Save the weights again")
    trees = (_moved(read_tree(whole(shard)), i << ADDRESS_BITS) for i, shard in enumerate(shards))
    return reduce(_merged, trees), shards


def _names(weights: Mapping[str, object]) -> dict[str, object]:
    """What the map names as shards, each once; the values are names or lists of names."""
    names: dict[str, object] = {}
    for value in weights.values():
        for name in value if isinstance(value, list) else [value]:
            names[str(name)] = name
    return names


def _shard(path: Path, name: object) -> Path:
    if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
        raise ExternalReference(
            f"a shard outside the folder: {name!r}", where=str(path), fix="All shards lie beside the map"
        )
    shard = path.with_name(name)
    if not shard.is_file() or shard.is_symlink():
        raise MissingFile(
            "this shard is not there", where=str(shard), fix=f"Copy all the files that {path.name} names"
        )
    return shard


def _moved(group: Group, by: int) -> Group:
    """The group with addresses that keep the order of the shards."""
    children = {
        name: child if isinstance(child, Dataset) else _moved(child, by)
        for name, child in group.children.items()
    }
    return replace(group, address=group.address + by, children=children)


def _merged(first: Group, second: Group) -> Group:
    children = dict(first.children)
    for name, child in second.children.items():
        before = children.get(name)
        if isinstance(before, Group) and isinstance(child, Group):
            children[name] = _merged(before, child)
        else:
            children[name] = child
    return replace(first, attributes={**second.attributes, **first.attributes}, children=children)
