"""The tree of a file that was just written, as reading its headers would tell it."""

from collections.abc import Iterable
from dataclasses import field
from typing import Any, NamedTuple

from weightbridge.boundary.records import dataclass
from weightbridge.formats.containers import Region
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.emit.places import Place
from weightbridge.model.tensors import dtype_of


class Allocated(NamedTuple):
    """A place that has bytes in the file: where they begin, and how many they are."""

    place: Place
    offset: int | None
    stored: int


def names_of(arrays: Iterable[Allocated]) -> dict[str, str]:
    """What Keras calls the layer whose weights are in a group."""
    return {array.place.path.rpartition("/")[0]: array.place.group for array in arrays}


def tree_of(arrays: Iterable[Allocated], region: Region) -> Group:
    """Groups have their numbers for addresses: HDF5 gives these out from low to high."""
    arrays = list(arrays)
    draft = _Draft(names_of(arrays))
    for array in arrays:
        place = array.place
        head, _, last = place.path.rpartition("/")
        draft.open(head)
        dtype = dtype_of(place.dtype)
        dataset = Dataset(place.path, tuple(place.shape), dtype, array.offset, array.stored, region)
        draft.children[head][last] = dataset
    return draft.group("", {path: number for number, path in enumerate(draft.children)})


@dataclass
class _Draft:
    """children: of each group by name, in the order in which groups are made; None for a group."""

    names: dict[str, str]
    children: dict[str, dict[str, Dataset | None]] = field(default_factory=lambda: {"": {}})

    def open(self, path: str) -> None:
        """The group and those around it."""
        if path not in self.children:
            head, _, last = path.rpartition("/")
            self.open(head)
            self.children[path] = {}
            self.children[head][last] = None

    def group(self, path: str, numbers: dict[str, int]) -> Group:
        """Children are sorted by name, as HDF5 lists them."""
        attributes: dict[str, Any] = {"name": self.names[path]} if path in self.names else {}
        children = {
            name: child or self.group(f"{path}/{name}" if path else name, numbers)
            for name, child in sorted(self.children[path].items(), key=lambda item: item[0].encode())
        }
        return Group(path, numbers[path], attributes, children)
