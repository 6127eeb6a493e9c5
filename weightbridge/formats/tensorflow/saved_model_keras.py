"""Keras's metadata in a SavedModel -> the config and the groups that an .h5 would hold."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.errors import Corrupt
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.architecture.flow import Flow
from weightbridge.formats.keras.variables.legacy import LegacyStore
from weightbridge.formats.keras.variables.stored import Variable
from weightbridge.formats.tensorflow.checkpoint_layers import bundle_dataset, bundle_tensor
from weightbridge.formats.tensorflow.checkpoint_names import UNNAMED
from weightbridge.formats.tensorflow.tensor_bundle import Bundle
from weightbridge.formats.tensorflow.tracked import MAX_DEPTH, Tracked, below
from weightbridge.model.tensors import Tensor

KERAS = ("_tf_keras_", "tf_keras_")
WRAPPED = re.compile(r"trackable_(list|dict|tuple)_wrapper")
LAYER = re.compile(r"layer-(\d+)")
ENCODED = ("__tuple__", "TensorShape", "__ellipsis__")


@dataclass(frozen=True, slots=True)
class Objects:
    """A SavedModel's objects, Keras's metadata of each, and each variable's key in the checkpoint."""

    nodes: Sequence[Tracked]
    metadata: Mapping[int, Mapping[str, Any]]
    keys: Mapping[int, str]

    def name(self, number: int, default: str) -> str:
        """A layer's own name."""
        found = self.metadata.get(number, {}).get("name")
        return found if isinstance(found, str) and found else default


def decoded(text: str, where: str) -> dict[str, Any]:
    """An object's metadata; tuples and shapes, which Keras marks, become lists. {} where it is no object."""
    try:
        found = json.loads(text, object_hook=_plain)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Corrupt(
            f"Keras's metadata is no JSON: {reason}",
            where=where,
            fix="Get the folder again, or save the model again",
        ) from error
    return found if isinstance(found, dict) else {}


def is_layer(node: Tracked) -> bool:
    """Whether Keras made an object as a layer or model of its own."""
    return node.identifier.startswith(KERAS) and "metric" not in node.identifier


def tree_of(objects: Objects, bundle: Bundle, layers: Sequence[tuple[str, int]]) -> Group:
    """The groups that an .h5 would have: one for each layer (name, object), with all that it holds."""
    root = Group("", 0, {"layer_names": [name for name, _ in layers]}, {})
    taken: set[int] = set()
    others = {number for _, number in layers}
    for name, number in layers:
        found = list(_weights(objects, number, taken, others))
        paths = _paths(name, found)
        group = Group(name, 0, {"weight_names": paths}, {})
        for path, (_, _, key) in zip(paths, found, strict=True):
            _put(group, path, bundle_dataset(bundle, key))
        _put(root, name, group)
    return root


def top_layers(objects: Objects) -> list[tuple[str, int]]:
    """The layers that the root holds, in the model's order; then what else may have weights."""
    numbered = sorted(
        (int(m[1]), child) for name, child in below(objects.nodes, 0) if (m := LAYER.fullmatch(name))
    )
    layers = list(dict.fromkeys(child for _, child in numbered))
    rest = [
        (name, child)
        for name, child in below(objects.nodes, 0)
        if child not in set(layers) and not name.startswith("layer_with_weights")
    ]
    found = [(objects.name(child, f"layer-{i}"), child) for i, child in enumerate(layers)]
    found += [(objects.name(child, name), child) for name, child in rest if objects.nodes[child].identifier]
    names = [name for name, _ in found]
    return [(name, child) for i, (name, child) in enumerate(found) if name not in names[:i]]


class SavedStore(LegacyStore):
    """The variables of a SavedModel as an .h5 would have them; bytes come from the checkpoint inside."""

    def __init__(self, group: Group, bundle: Bundle, flow: Flow) -> None:
        super().__init__(group, flow)
        self.bundle = bundle

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        return bundle_tensor(self.bundle, f"{layer}/{variable.name}", variable, trainable)


def _plain(value: dict[str, Any]) -> Any:
    return (
        value["items"]
        if value.get("class_name") in ENCODED and isinstance(value.get("items"), list)
        else value
    )


Weight = tuple[tuple[str, ...], str, str]  # scope, last part of the name, key


def _weights(objects: Objects, number: int, taken: set[int], others: Collection[int]) -> Iterator[Weight]:
    """The variables below an object, each once, with the names in between; none of another layer."""
    stack: list[tuple[int, tuple[str, ...], str]] = [(number, (), "")]
    while stack:
        current, scope, label = stack.pop()
        if current in taken or (current in others and current != number):
            continue
        taken.add(current)
        node = objects.nodes[current]
        if len(scope) > MAX_DEPTH:
            raise Corrupt(f"layers nested more than {MAX_DEPTH} deep", fix="Save the model again")
        if current in objects.keys and node.is_variable:
            yield scope, _last(node, label), objects.keys[current]
        inner = (
            scope
            if current == number or WRAPPED.fullmatch(node.identifier)
            else (*scope, objects.name(current, label))
        )
        stack.extend((child, inner, name) for name, child in reversed(list(below(objects.nodes, current))))


def _last(node: Tracked, label: str) -> str:
    """What the variable is called: as Keras names it, or by the attribute that holds it."""
    full = re.sub(r":\d+$", "", node.full_name)
    return label if not full or UNNAMED.fullmatch(full) else full.rsplit("/", 1)[-1]


def _paths(layer: str, weights: Sequence[Weight]) -> list[str]:
    """Names as an .h5 lists them, each once."""
    found: list[str] = []
    seen: dict[str, int] = {}
    for scope, last, _ in weights:
        path = "/".join((layer, *scope, last))
        seen[path] = seen.get(path, 0) + 1
        found.append(path if seen[path] == 1 else f"{path}_{seen[path] - 1}")
    return found


def _put(group: Group, path: str, value: Group | Dataset) -> None:
    """Puts a value at a path of groups."""
    *parents, last = path.split("/")
    for part in parents:
        children: Any = group.children
        found = children.setdefault(part, Group(f"{group.path}/{part}", 0, {}, {}))
        group = (
            found
            if isinstance(found, Group)
            else children.setdefault(f"{part}.", Group(f"{group.path}/{part}", 0, {}, {}))
        )
    children = group.children
    children[last] = value
