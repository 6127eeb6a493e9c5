"""Stored variables of any layout: what a file holds for each layer, apart from the architecture."""

from typing import Protocol

from weightbridge.boundary.records import dataclass
from weightbridge.formats.hdf5.tree import Dataset
from weightbridge.formats.keras.architecture.flow import Node
from weightbridge.model.graph import Shape
from weightbridge.model.tensors import Tensor

Shapes = tuple[Shape | None, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """One stored array: the last part of its tensor's name, its role, and where it is."""

    name: str
    role: str
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file holds for one layer.

    A part is a sub-layer that the config does not tell of; its name is relative to the layer.
    """

    name: str = ""
    class_name: str = ""
    variables: tuple[Variable, ...] = ()
    parts: tuple["Stored", ...] = ()
    missing: tuple[str, ...] = ()


class Store(Protocol):
    """A file's variables, asked for layer by layer; `rest` is what nobody asked for."""

    def take(self, node: Node, shapes: Shapes) -> Stored:
        """The variables of a node's layer, asked for on its first call; shapes: of what it is fed."""
        ...

    def rest(self) -> tuple[Stored, ...]:
        """Layers of the file that the architecture does not have."""
        ...

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        """The tensor `layer/variable`."""
        ...
