"""One pass over an HDF5 file through h5py's low-level calls; links out of the file are refused."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o

from weightbridge.errors import Corrupt, ExternalReference
from weightbridge.formats.containers import Region
from weightbridge.formats.hdf5.attributes import attribute_value, decoded
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.model.tensors import dtype_of

MAX_OBJECTS = 2_000_000
MAX_DEPTH = 200
BFLOAT16_BYTES = 2
Children = dict[str, Group | Dataset]


class Link(NamedTuple):
    """An entry of a group: HDF5's object for the group, the entry's name, and its kind."""

    place: Any
    name: bytes
    kind: int


class Untold(NamedTuple):
    """An array of bytes whose dtype only an attribute may tell, and the children that it is one of."""

    opened: Any
    dataset: Dataset
    siblings: Children


class Walk:
    """One pass over a file: counts objects and knows which groups it is inside of.

    Attributes wait until their heaps are checked.
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.objects = 0
        self.inside: set[int] = set()
        self.groups: list[tuple[Any, str, dict[str, Any]]] = []
        self.untold: list[Untold] = []

    def root(self, opened: Any) -> Group:
        """All groups and datasets, their attributes still empty."""
        return self._group(h5g.open(opened, b"/"), "", 0)

    def read_attributes(self) -> None:
        """Fills in the groups' attributes, and the dtype of arrays that only an attribute tells."""
        for place, path, attributes in self.groups:
            attributes.update(self._attributes(place, path))
        for opened, dataset, siblings in self.untold:
            if self._attributes(opened, dataset.path).get("dtype") == "bfloat16":
                name = dataset.path.rsplit("/", 1)[-1]
                siblings[name] = replace(dataset, dtype=dtype_of("bfloat16"))

    def _group(self, place: Any, path: str, depth: int) -> Group:
        info = h5o.get_info(place)
        if depth > MAX_DEPTH:
            raise self._corrupt(path, f"groups nested more than {MAX_DEPTH} deep")
        if info.addr in self.inside:
            raise self._corrupt(path, "a group that contains itself")
        self.inside.add(info.addr)
        children: Children = {}
        for link in _links(place):
            name = decoded(link.name)
            below = f"{path}/{name}" if path else name
            children[name] = self._child(link, below, depth, children)
        self.inside.discard(info.addr)
        attributes: dict[str, Any] = {}
        if info.num_attrs:
            self.groups.append((place, path, attributes))
        return Group(path, info.addr, attributes, children)

    def _child(self, link: Link, path: str, depth: int, siblings: Children) -> Group | Dataset:
        self.objects += 1
        if self.objects > MAX_OBJECTS:
            raise self._corrupt(path, f"more than {MAX_OBJECTS} objects")
        if link.kind != h5l.TYPE_HARD:
            kind = "a soft link" if link.kind == h5l.TYPE_SOFT else "a link to another file"
            raise self._outside(path, kind)
        opened = h5o.open(link.place, link.name)
        if isinstance(opened, h5g.GroupID):
            return self._group(opened, path, depth + 1)
        if not isinstance(opened, h5d.DatasetID):  # a named datatype: no weight
            return Dataset(path, (), np.dtype("V1"), None, 0, self.region)
        dataset = self._dataset(opened, path)
        if dataset.dtype.kind == "V" and dataset.dtype.itemsize == BFLOAT16_BYTES:
            self.untold.append(Untold(opened, dataset, siblings))
        return dataset

    def _dataset(self, opened: Any, path: str) -> Dataset:
        properties = opened.get_create_plist()
        layout = properties.get_layout()
        if properties.get_external_count() or layout == h5d.VIRTUAL:
            raise self._outside(path, "a dataset whose bytes are in another file or dataset")
        offset = opened.get_offset() if layout == h5d.CONTIGUOUS else None
        shape = tuple(opened.shape or ())
        return Dataset(path, shape, opened.dtype, offset, opened.get_storage_size(), self.region)

    def _attributes(self, place: Any, path: str) -> Mapping[str, Any]:
        values: dict[str, Any] = {}
        for i in range(h5a.get_num_attrs(place)):
            attribute = h5a.open(place, index=i)
            shape, dtype = attribute.shape, attribute.dtype  # each is asked of HDF5
            if prod(shape or ()) * dtype.itemsize > self.region.size:
                raise self._corrupt(path, "an attribute larger than the file")
            values[decoded(attribute.name)] = attribute_value(attribute, shape, dtype)
        return values

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


def _links(place: Any) -> list[Link]:
    links: list[Link] = []
    place.links.iterate(lambda name, link: links.append(Link(place, name, link.type)), info=True)
    return links
