"""Where Keras 3 keeps each weight of a configuration, and in which shape and dtype."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Unsupported
from weightbridge.formats.keras.architecture.classes import CLASSES, roles, variable_name
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.expected import ExpectedStore
from weightbridge.formats.keras.architecture.flow import Flow, Node
from weightbridge.formats.keras.model import graph_of_model
from weightbridge.formats.keras.variables.copied import WRAPPED_KERNEL
from weightbridge.formats.keras.variables.stored import Shapes, Stored
from weightbridge.formats.keras.variables.tensors import STATISTICS
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import RECURRENT

PROJECTIONS = {"query": "query", "key": "key", "value": "value", "attention_output": "output"}
UNDERSCORED = ("GroupQueryAttention", "GroupedQueryAttention")  # whose projections have no public name
OF_CELL = re.compile(r"(?:^|/)(?:cell|\w+_cell)(?:_\d+)?$")
FLOATS = ("float16", "float32", "float64", "bfloat16")
IN_CELLS = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})


@dataclass(frozen=True, slots=True)
class Place:
    """One weight.

    path: of its array in `model.weights.h5`. group: the layer's own name, which Keras notes beside it.
    layer, role, name: whose it is, and what Keras calls it. trainable: whether training changes it.
    fill: what stands there until the value comes. is_copy: whether it is another place of a weight.
    """

    path: str
    group: str
    layer: str
    role: str
    name: str
    trainable: bool
    shape: tuple[int, ...]
    dtype: str
    fill: float = 0.0
    is_copy: bool = False


def places_of(model: ConfigLayer, source: LayerGraph) -> tuple[Place, ...]:
    """The weights of a configuration in the order of its layers.

    Shapes follow from the configuration; where they do not, they are those of the source's layer of the same
    name. Raises Unsupported where neither tells.
    """
    store = _Places(source)
    graph_of_model(Path(source.path), "keras-json", "keras 3", model, store.of, ())
    return tuple(store.places)


class _Places(ExpectedStore):
    """Notes the place of every weight that is asked for."""

    def __init__(self, source: LayerGraph) -> None:
        super().__init__(source.path)
        self.source = source
        self.places: list[Place] = []

    def of(self, flow: Flow) -> "_Places":
        return self

    def take(self, node: Node, shapes: Shapes) -> Stored:
        found = super().take(node, shapes)
        if node.op or node.layer.kind == "operation" or node.layer.class_name not in CLASSES:
            return found
        if CLASSES[node.layer.class_name].op == "Attention":
            self._projections_of(node, found)
            return found
        known = {variable.role: variable.dataset.shape for variable in found.variables}
        group = f"{node.store}/cell" if _is_in_cell(node) else node.store
        names = roles(node.layer.class_name, node.layer.config) or ()
        if node.layer.class_name == "SpectralNormalization":
            self._spectral(node)
            return found
        self._add(node, node.owner, group, {role: known.get(role) for role in names})
        if names and node.layer.class_name == "Normalization":
            self._count(node)
        return found

    def _count(self, node: Node) -> None:
        """How many samples it has seen: no weight, but Keras reads it."""
        path, name = f"{node.store}/vars/2", node.owner.rsplit("/", 1)[-1]
        self.places.append(Place(path, name, node.owner, "count", "count", False, (), "int64"))

    def _spectral(self, node: Node) -> None:
        """The kernel of what is wrapped once more, and the vector u, which training finds again."""
        inner = f"{node.store}{WRAPPED_KERNEL}"
        kernel = next((place for place in self.places if place.path == inner), None)
        if kernel is None or not kernel.shape:
            message = f"{node.owner} normalises a layer whose kernel is not known"
            raise Unsupported(message, where=self.source.path, fix="give the model with its weights")
        width, name = kernel.shape[-1], node.owner.rsplit("/", 1)[-1]
        copy = replace(kernel, path=f"{node.store}/vars/0", group=name, is_copy=True)
        path, owner = f"{node.store}/vars/1", node.owner
        u = Place(path, name, owner, "vector_u", "vector_u", False, (1, width), kernel.dtype, width**-0.5)
        self.places.extend((copy, u))

    def _projections_of(self, node: Node, found: Stored) -> None:
        known = {part.name: {v.role: v.dataset.shape for v in part.variables} for part in found.parts}
        for name, stored_as in PROJECTIONS.items():
            owner = f"{node.owner}/{name}"
            layer = self.source.by_name.get(owner)
            shapes: dict[str, Any] = dict.fromkeys(tensor.role for tensor in layer.tensors) if layer else {}
            group = f"{_projections(node)}{stored_as}_dense"
            self._add(node, owner, group, {**shapes, **known.get(name, {})})

    def _add(self, node: Node, owner: str, group: str, shapes: dict[str, Any]) -> None:
        for number, (role, told) in enumerate(shapes.items()):
            shape = told if told is not None else self._stored(owner, role)
            path = f"{group}/vars/{number}"
            short = owner.rsplit("/", 1)[-1]
            name = variable_name(node.layer.class_name, role)
            trainable = node.layer.config.get("trainable") is not False and role not in STATISTICS
            self.places.append(Place(path, short, owner, role, name, trainable, shape, _dtype(node)))

    def _stored(self, owner: str, role: str) -> tuple[int, ...]:
        layer = self.source.by_name.get(owner)
        tensor = layer.tensor(role) if layer else None
        if tensor is None:
            message = f"the shape of {owner}/{role} follows neither from the architecture nor from the file"
            raise Unsupported(message, where=self.source.path, fix="give the model with its weights")
        return tensor.shape


def _projections(node: Node) -> str:
    """What the groups of an attention's projections begin with."""
    return f"{node.store}/{'_' if node.layer.class_name in UNDERSCORED else ''}"


def _is_in_cell(node: Node) -> bool:
    """Whether Keras keeps the weights in the cell that the layer runs."""
    class_name = node.layer.class_name
    if class_name in IN_CELLS:
        return True
    if CLASSES[class_name].op not in RECURRENT:
        return False
    return not (class_name.endswith("Cell") and OF_CELL.search(node.store))


def _dtype(node: Node) -> str:
    """The dtype in which a policy keeps weights."""
    told = str(node.layer.config.get("dtype", "float32"))
    return told if told in FLOATS else "float32"
