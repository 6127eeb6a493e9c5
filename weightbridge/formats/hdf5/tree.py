"""HDF5 headers: all datasets and groups of a file by name; links out and bombs are refused."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o

from weightbridge.errors import Corrupt, ExternalReference, ResourceBomb, WeightbridgeError
from weightbridge.formats.containers import BOMB_FLOOR, BOMB_RATIO, Region, RegionReader
from weightbridge.formats.hdf5.heaps import check_heaps
from weightbridge.model.tensors import dtype_of

MAX_OBJECTS = 2_000_000
MAX_DEPTH = 200
BFLOAT16_BYTES = 2


@dataclass(frozen=True, slots=True)
class Dataset:
    """A stored array's header, and the region of the file that it is in.

    offset: where its bytes begin in the region, where they lie in one run; else None. stored: how many bytes
    the file holds.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int | None
    stored: int
    region: Region

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Group:
    """A group: its children by name, its attributes, and the address of its header.

    Attributes are texts and lists of texts; others are left out.
    """

    path: str
    address: int
    attributes: Mapping[str, Any]
    children: Mapping[str, "Group | Dataset"] = field(default_factory=dict)

    def group(self, name: str) -> "Group | None":
        """The group below at a path, None where there is none."""
        found: Group | Dataset | None = self
        for part in name.split("/"):
            found = found.children.get(part) if isinstance(found, Group) else None
        return found if isinstance(found, Group) else None

    def dataset(self, name: str) -> Dataset | None:
        """The dataset below at a path, None where there is none."""
        head, _, last = name.rpartition("/")
        parent = self.group(head) if head else self
        found = parent.children.get(last) if parent else None
        return found if isinstance(found, Dataset) else None

    def datasets(self) -> Iterator[Dataset]:
        """All datasets below, in the file's order of names."""
        for child in self.children.values():
            if isinstance(child, Dataset):
                yield child
            else:
                yield from child.datasets()


@contextmanager
def opened(region: Region) -> Iterator[h5py.File]:
    """The file at a region, open for reading; whatever HDF5 finds wrong becomes one of our errors."""
    in_place = region.start == 0 and region.keep is None and region.size == region.path.stat().st_size
    reader = None if in_place or region.keep is not None else RegionReader(region)
    with hdf5_errors(region.label):
        try:
            with h5py.File(reader if reader else region.path, "r") as file:
                yield file
        finally:
            if reader:
                reader.close()


@contextmanager
def hdf5_errors(where: str) -> Iterator[None]:
    """Turns what h5py raises (any exception it likes: it is C underneath) into Corrupt."""
    try:
        yield
    except (WeightbridgeError, AssertionError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # h5py raises OSError, KeyError, RuntimeError, ValueError, TypeError, ... for a broken file
        raise Corrupt(
            f"the HDF5 structure is broken: {error}",
            where=where,
            fix="Get the file again, or save the model again",
        ) from error


def read_tree(region: Region) -> Group:
    """All groups and datasets of the file, with what the headers say.

    Refuses links out of the file, bombs and overlaps.
    """
    with opened(region) as file:
        walk = _Walk(region)
        root = walk.group(h5g.open(file.id, b"/"), "", 0)
        _refuse_bombs(root, region)
        check_heaps(
            region, ((d.offset, d.offset + d.stored) for d in root.datasets() if d.offset is not None)
        )
        walk.read_attributes()
    return root


class _Walk:
    """One pass over a file: counts objects and knows which groups it is inside of.

    Attributes wait until their heaps are checked.
    """

    def __init__(self, region: Region) -> None:
        self.region, self.objects, self.inside = region, 0, set[int]()
        self.groups: list[tuple[Any, str, dict[str, Any]]] = []
        self.opaque: list[tuple[Any, Dataset, dict[str, Group | Dataset]]] = []

    def read_attributes(self) -> None:
        """Fills in the groups' attributes, and the dtype of arrays that only an attribute tells."""
        for place, path, found in self.groups:
            found.update(self._attributes(place, path))
        for place, dataset, siblings in self.opaque:
            if self._attributes(place, dataset.path).get("dtype") == "bfloat16":
                siblings[dataset.path.rsplit("/", 1)[-1]] = replace(dataset, dtype=dtype_of("bfloat16"))

    def group(self, place: Any, path: str, depth: int) -> Group:
        info = h5o.get_info(place)
        if info.addr in self.inside or depth > MAX_DEPTH:
            raise self._corrupt(
                path,
                "a group that contains itself"
                if depth <= MAX_DEPTH
                else f"groups nested more than {MAX_DEPTH} deep",
            )
        self.inside.add(info.addr)
        links: list[tuple[bytes, int]] = []
        place.links.iterate(lambda name, link: links.append((name, link.type)), info=True)
        attributes: dict[str, Any] = {}
        children: dict[str, Group | Dataset] = {}
        for name, kind in links:
            children[_text(name)] = self._child(place, name, kind, path, depth, children)
        self.inside.discard(info.addr)
        if info.num_attrs:
            self.groups.append((place, path, attributes))
        return Group(path, info.addr, attributes, children)

    def _child(
        self, place: Any, name: bytes, kind: int, path: str, depth: int, siblings: dict[str, Group | Dataset]
    ) -> Group | Dataset:
        below = f"{path}/{_text(name)}" if path else _text(name)
        self.objects += 1
        if self.objects > MAX_OBJECTS:
            raise self._corrupt(below, f"more than {MAX_OBJECTS} objects")
        if kind != h5l.TYPE_HARD:
            raise self._outside(below, "a soft link" if kind == h5l.TYPE_SOFT else "a link to another file")
        found = h5o.open(place, name)
        if isinstance(found, h5g.GroupID):
            return self.group(found, below, depth + 1)
        if isinstance(found, h5d.DatasetID):
            dataset = self._dataset(found, below)
            if dataset.dtype.kind == "V" and dataset.dtype.itemsize == BFLOAT16_BYTES:
                self.opaque.append((found, dataset, siblings))
            return dataset
        return Dataset(below, (), np.dtype("V1"), None, 0, self.region)  # a named datatype: no weight

    def _dataset(self, found: Any, path: str) -> Dataset:
        properties = found.get_create_plist()
        layout = properties.get_layout()
        if properties.get_external_count() or layout == h5d.VIRTUAL:
            raise self._outside(path, "a dataset whose bytes are in another file or dataset")
        offset = found.get_offset() if layout == h5d.CONTIGUOUS else None
        return Dataset(
            path, tuple(found.shape or ()), found.dtype, offset, found.get_storage_size(), self.region
        )

    def _attributes(self, place: Any, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for i in range(h5a.get_num_attrs(place)):
            attribute = h5a.open(place, index=i)
            shape, dtype = attribute.shape, attribute.dtype  # each is asked of HDF5
            if prod(shape or ()) * dtype.itemsize > self.region.size:
                raise self._corrupt(path, "an attribute larger than the file")
            found[_text(attribute.name)] = _attribute_value(attribute, shape, dtype)
        return found

    def _corrupt(self, path: str, what: str) -> Corrupt:
        return Corrupt(
            f"the file holds {what}", where=f"{self.region.label}: {path}", fix="Save the model again"
        )

    def _outside(self, path: str, what: str) -> ExternalReference:
        return ExternalReference(
            f"the file holds {what}, which is never followed",
            where=f"{self.region.label}: {path}",
            fix="Save the model again with all its weights in one file",
        )


def _attribute_value(attribute: Any, shape: tuple[int, ...] | None, dtype: np.dtype[Any]) -> Any:
    """A text, a number, or a list of these; None for an empty dataspace or another type.

    Of objects only texts are read: HDF5 can crash over the lists and references of a damaged file.
    """
    if (
        shape is None
        or dtype.kind not in "SOifub"
        or (dtype.kind == "O" and h5py.check_string_dtype(dtype) is None)
    ):
        return None
    value = np.empty(shape, dtype=dtype)
    attribute.read(value)
    return _text(value.item()) if shape == () else [_text(v) for v in value.ravel().tolist()]


def _text(value: Any) -> Any:
    return value.decode("utf8", "surrogateescape") if isinstance(value, bytes) else value


def _refuse_bombs(root: Group, region: Region) -> None:
    """Compares declared with stored sizes, one by one and in sum; refuses runs that end late or overlap."""
    declared, runs = 0, []
    for dataset in root.datasets():
        declared += dataset.nbytes
        _refuse_bomb(dataset.nbytes, dataset.stored, f"{region.label}: {dataset.path}")
        if dataset.offset is not None and dataset.stored:
            runs.append((dataset.offset, dataset.offset + dataset.stored, dataset.path))
    _refuse_bomb(declared, region.size, region.label)
    run, end, last = (0, 0), 0, ""
    for start, stop, path in sorted(set(runs)):
        if stop > region.size:
            raise Corrupt(
                f"the bytes of a dataset end at {stop}, the file at {region.size}",
                where=f"{region.label}: {path}",
                fix="Get the file again",
            )
        if start < end and (start, stop) != run:  # two names of one dataset share all their bytes
            raise Corrupt(
                f"the bytes overlap those of {last}",
                where=f"{region.label}: {path}",
                fix="Save the model again",
            )
        run, end, last = (start, stop), stop, path


def _refuse_bomb(declared: int, stored: int, where: str) -> None:
    if declared > BOMB_FLOOR and declared > BOMB_RATIO * max(stored, 1):
        raise ResourceBomb(
            f"{declared} bytes are declared, {stored} stored",
            where=where,
            fix="Do not open it unless you trust where it comes from",
        )
