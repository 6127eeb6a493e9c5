"""An HDF5 file's headers as values: groups and datasets by name."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from math import prod
from typing import Any

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.containers import Region


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
        place: Group | Dataset | None = self
        for part in name.split("/"):
            place = place.children.get(part) if isinstance(place, Group) else None
        return place if isinstance(place, Group) else None

    def dataset(self, name: str) -> Dataset | None:
        """The dataset below at a path, None where there is none."""
        head, _, last = name.rpartition("/")
        parent = self.group(head) if head else self
        child = parent.children.get(last) if parent else None
        return child if isinstance(child, Dataset) else None

    def datasets(self) -> Iterator[Dataset]:
        """All datasets below, in the file's order of names."""
        for child in self.children.values():
            if isinstance(child, Dataset):
                yield child
            else:
                yield from child.datasets()
