"""Keras's metadata in a SavedModel -> the config and the groups that an .h5 would hold."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from weightbridge.errors import Corrupt
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.architecture.flow import Flow
from weightbridge.formats.keras.variables.legacy import LegacyStore
from weightbridge.formats.keras.variables.stored import Variable
from weightbridge.formats.tensorflow.bundle.read import Bundle
from weightbridge.formats.tensorflow.checkpoint.layers import bundle_dataset, bundle_tensor
from weightbridge.formats.tensorflow.checkpoint.names import UNNAMED
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
        name = self.metadata.get(number, {}).get("name")
        return name if isinstance(name, str) and name else default

    def key(self, number: int) -> str:
        """The key of a variable, "" for another object."""
        return self.keys.get(number, "") if self.nodes[number].is_variable else ""


def decoded(text: str, where: str) -> dict[str, Any]:
    """An object's metadata; tuples and shapes, which Keras marks, become lists. {} where it is no object."""
    try:
        metadata = json.loads(text, object_hook=_plain)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Corrupt(
            f"Keras's metadata is no JSON: {reason}",
            where=where,
            fix="Get the folder again, or save the model again",
        ) from error
    return metadata if isinstance(metadata, dict) else {}


def is_layer(node: Tracked) -> bool:
    """Whether Keras made an object as a layer or model of its own."""
    return node.identifier.startswith(KERAS) and "metric" not in node.identifier


def tree_of(objects: Objects, bundle: Bundle, layers: Sequence[tuple[str, int]]) -> Group:
    """The groups that an .h5 would have: one for each layer (name, object), with all that it holds."""
    root = Group("", 0, {"layer_names": [name for name, _ in layers]}, {})
    taken: set[int] = set()
    numbers = {number for _, number in layers}
    for name, number in layers:
        weights = list(_weights(objects, number, taken, numbers))
        paths = _paths(name, weights)
        group = Group(name, 0, {"weight_names": paths}, {})
        for path, weight in zip(paths, weights, strict=True):
            _put(group, path, bundle_dataset(bundle, weight.key))
        _put(root, name, group)
    return root


def top_layers(objects: Objects) -> list[tuple[str, int]]:
    """The layers that the root holds, in the model's order; then what else may have weights."""
    held = list(below(objects.nodes, 0))
    numbered = sorted((int(match[1]), child) for name, child in held if (match := LAYER.fullmatch(name)))
    in_order = dict.fromkeys(child for _, child in numbered)
    named = [(objects.name(child, f"layer-{i}"), child) for i, child in enumerate(in_order)]
    for name, child in held:
        is_listed = child in in_order or name.startswith("layer_with_weights")
        if not is_listed and objects.nodes[child].identifier:
            named.append((objects.name(child, name), child))
    first: dict[str, int] = {}
    for name, child in named:
        first.setdefault(name, child)
    return list(first.items())


class SavedStore(LegacyStore):
    """The variables of a SavedModel as an .h5 would have them; bytes come from the checkpoint inside."""

    def __init__(self, group: Group, bundle: Bundle, flow: Flow) -> None:
        super().__init__(group, flow)
        self.bundle = bundle

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        return bundle_tensor(self.bundle, f"{layer}/{variable.name}", variable, trainable)


def _plain(value: dict[str, Any]) -> Any:
    is_encoded = value.get("class_name") in ENCODED and isinstance(value.get("items"), list)
    return value["items"] if is_encoded else value


class Weight(NamedTuple):
    """A variable: the scope and the last part of its name, and its key in the checkpoint."""

    scope: tuple[str, ...]
    last: str
    key: str


def _weights(objects: Objects, number: int, taken: set[int], layers: Collection[int]) -> Iterator[Weight]:
    """The variables below an object, each once, with the names in between; none of another layer."""
    other_layers = set(layers) - {number}
    stack: list[tuple[int, tuple[str, ...], str]] = [(number, (), "")]
    while stack:
        current, scope, label = stack.pop()
        if current in taken or current in other_layers:
            continue
        taken.add(current)
        key = objects.key(current)
        if key:
            yield Weight(scope, _last(objects.nodes[current], label), key)
        inner = scope if current == number else _inner_scope(objects, current, scope, label)
        children = reversed(list(below(objects.nodes, current)))
        stack.extend((child, inner, name) for name, child in children)


def _inner_scope(objects: Objects, number: int, scope: tuple[str, ...], label: str) -> tuple[str, ...]:
    """The scope inside an object: lists and dicts add no name."""
    if len(scope) > MAX_DEPTH:
        raise Corrupt(f"layers nested more than {MAX_DEPTH} deep", fix="Save the model again")
    if WRAPPED.fullmatch(objects.nodes[number].identifier):
        return scope
    return (*scope, objects.name(number, label))


def _last(node: Tracked, label: str) -> str:
    """What the variable is called: as Keras names it, or by the attribute that holds it."""
    full_name = re.sub(r":\d+$", "", node.full_name)
    is_named = full_name and not UNNAMED.fullmatch(full_name)
    return full_name.rsplit("/", 1)[-1] if is_named else label


def _paths(layer: str, weights: Sequence[Weight]) -> list[str]:
    """Names as an .h5 lists them, each once."""
    paths: list[str] = []
    counts: dict[str, int] = {}
    for weight in weights:
        path = "/".join((layer, *weight.scope, weight.last))
        count = counts.get(path, 0)
        counts[path] = count + 1
        paths.append(f"{path}_{count}" if count else path)
    return paths


def _put(group: Group, path: str, value: Group | Dataset) -> None:
    """Puts a value at a path of groups; a group beside a dataset of its name gets a dot."""
    *parents, last = path.split("/")
    for part in parents:
        children: Any = group.children
        empty = Group(f"{group.path}/{part}", 0, {}, {})
        child = children.setdefault(part, empty)
        group = child if isinstance(child, Group) else children.setdefault(f"{part}.", empty)
    children = group.children
    children[last] = value
