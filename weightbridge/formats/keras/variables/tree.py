"""Keras 3's layout: groups with variables 0, 1, 2, ... under `vars`; roles by class and order."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod

from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.architecture.classes import CLASSES, STATE, roles, variable_name
from weightbridge.formats.keras.architecture.flow import Node
from weightbridge.formats.keras.variables.infer import class_of_group, guess
from weightbridge.formats.keras.variables.legacy_names import CELL
from weightbridge.formats.keras.variables.stored import Shapes, Stored, Variable
from weightbridge.formats.keras.variables.tensors import tensor_of
from weightbridge.model.graph import Excluded
from weightbridge.model.tensors import Tensor

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
UNKNOWN = re.compile(r"var\d+")
OPTIMIZER = ("optimizer", "_optimizer")
PROJECTIONS = {"query": "query", "key": "key", "value": "value", "output": "attention_output"}


class VariableStore:
    """A tree of groups; remembers which of them a layer has taken."""

    def __init__(self, root: Group) -> None:
        self.root, self.taken = root, set[str]()

    def take(self, node: Node, _: Shapes) -> Stored:
        group = self.root.group(node.store) or self.root.group(
            node.store.replace("layers", "_layer_checkpoint_dependencies")
        )
        own = own_variables(group)
        cell = group.group("cell") if group else None
        if not own and cell and not node.layer.layers:
            own, group = own_variables(cell), cell
        self.taken.update(d.path for d in own)
        expected = None if is_custom(node) else roles(node.layer.class_name, node.layer.config)
        parts = () if group is None or node.layer.layers else self._parts(group)
        if expected is None:
            return unnamed(node.layer.name, own, node.layer.class_name, parts)
        if own and len(own) != len(expected):
            return unnamed(node.layer.name, own, node.layer.class_name, parts)
        variables = tuple(
            Variable(variable_name(node.layer.class_name, role), role, d)
            for role, d in zip(expected, own, strict=False)
        )
        return Stored(
            class_name=node.layer.class_name,
            variables=variables,
            parts=parts,
            missing=() if own else expected,
        )

    def _parts(self, group: Group) -> tuple[Stored, ...]:
        """Sub-layers of a layer whose inside no config tells: groups below it."""
        found = tuple(sublayers(group))
        self.taken.update(v.dataset.path for part in found for v in part.variables)
        return found

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        return tensor_of(layer, variable, trainable)

    def rest(self) -> tuple[Stored, ...]:
        """Layers that no node has taken: all of them where there is no architecture."""
        own = of_model(_told(self.root) or "model", own_variables(self.root))
        left = [_without(part, self.taken) for part in (own, *sublayers(self.root))]
        return tuple(part for part in left if part.variables or (not self.taken and part is not left[0]))


def excluded(root: Group) -> tuple[Excluded, ...]:
    """The stored arrays that are no weights: optimizer state, metrics, seed generators."""
    found = [
        d for d in root.datasets() if is_state(d.path) or is_counter(d) or "vars" not in d.path.split("/")
    ]
    return tuple(
        Excluded(d.path, "optimizer" if d.path.startswith(OPTIMIZER) else "state", prod(d.shape))
        for d in found
    )


def is_counter(dataset: Dataset) -> bool:
    """Whether an array is a single integer: bookkeeping, such as how many samples Normalization has seen."""
    return dataset.shape == () and dataset.dtype.kind in "iub"


def is_state(path: str) -> bool:
    """Whether a path is that of an optimizer, of metrics, or of a seed generator anywhere."""
    parts = path.split("/")
    return parts[0] in STATE or any("seed_generator" in p for p in parts)


def is_custom(node: Node) -> bool:
    """Whether a layer's class is none of Keras's own, even if it has the name of one."""
    layer = node.layer
    if layer.module:
        return not (layer.module == "builtins" or layer.module.split(".")[0] == "keras")
    return bool(layer.registered) or ">" in layer.class_name or layer.class_name not in CLASSES


def own_variables(group: Group | None) -> tuple[Dataset, ...]:
    """The datasets under `vars`, by number."""
    place = group.group("vars") if group else None
    found = (
        []
        if place is None
        else [d for d in place.children.values() if isinstance(d, Dataset) and not is_counter(d)]
    )
    return tuple(sorted(found, key=lambda d: _natural(d.path)))


def sublayers(root: Group) -> Iterator[Stored]:
    """Every group that stands for a layer, in the order in which they were saved."""
    for group, names in _groups(root, ()):
        hint = group.path.removesuffix("/cell")
        yield unnamed("/".join(names), own_variables(group), "", (), hint)


def of_model(name: str, own: tuple[Dataset, ...]) -> Stored:
    """Variables that the model itself holds: two equal vectors of one that has layers are no norm."""
    keys = tuple(d.path.rsplit("/", 1)[-1] for d in own)
    return Stored(
        name,
        "",
        tuple(
            Variable(key, f"var{key}" if key.isdigit() else key, d) for key, d in zip(keys, own, strict=True)
        ),
        (),
    )


def unnamed(
    name: str, own: tuple[Dataset, ...], class_name: str, parts: tuple[Stored, ...], hint: str = ""
) -> Stored:
    """Variables of which the file tells order and shapes: roles by what they look like."""
    keys = tuple(d.path.rsplit("/", 1)[-1] for d in own)
    blank = tuple(f"var{k}" if k.isdigit() else k for k in keys)
    found = guess(blank, tuple(d.shape for d in own), hint or name)
    names = [
        key if re.fullmatch(r"var\d+", role) else variable_name(found.class_name, role)
        for key, role in zip(keys, found.roles, strict=True)
    ]
    variables = tuple(Variable(name, role, d) for name, role, d in zip(names, found.roles, own, strict=True))
    return Stored(
        name, class_name or found.class_name or class_of_group(hint.rsplit("/", 1)[-1]), variables, parts
    )


def _groups(group: Group, names: tuple[str, ...]) -> Iterator[tuple[Group, tuple[str, ...]]]:
    """All groups below that stand for a layer, with the names on the way to them.

    State is left out; a cell stands for its layer.
    """
    children = [
        (key, child)
        for key, child in group.children.items()
        if isinstance(child, Group) and key != "vars" and not is_state(child.path)
    ]
    labels = _labels(children)
    for key, child in saved_order(children):
        below = names if _adds_no_name(key, child, labels[key]) else (*names, labels[key])
        cell = child.group("cell")
        if cell is not None and own_variables(cell) and CELL.fullmatch(_told(cell) or "cell"):
            yield cell, below
            continue
        if child.group("vars") is not None:
            yield child, below
        yield from _groups(child, below)


def _adds_no_name(key: str, group: Group, label: str) -> bool:
    """Lists of layers, and what holds the cells of a recurrent layer."""
    return (
        (key in CONTAINERS and group.group("vars") is None)
        or key == "cells"
        or (key == "cell" and bool(CELL.fullmatch(label)))
    )


def _labels(children: list[tuple[str, Group]]) -> dict[str, str]:
    """What each group is called: by the user where that name is stored and unique, else by its key."""
    told = {key: _told(child) or _projection(key) for key, child in children}
    counts = Counter(told.values())
    return {key: name if name and counts[name] == 1 else key for key, name in told.items()}


def _projection(key: str) -> str:
    """What attention calls its projections, which it keeps as `_query_dense`, `_output_dense`, ..."""
    word, _, last = key.removeprefix("_").rpartition("_")
    return PROJECTIONS.get(word, "") if last == "dense" else ""


def _told(group: Group) -> str:
    place = group.group("vars")
    name = place.attributes.get("name") if place else None
    return name if isinstance(name, str) else ""


def saved_order(children: list[tuple[str, Group]]) -> list[tuple[str, Group]]:
    """The order in which the groups were written.

    HDF5 lists names by the alphabet. Counters order the layers of one class for sure; across classes the
    address of a group's
    header tells, for headers are given out from low to high, except where a freed hole is filled: a header
    lower than that of
    the layer of the same class before it is such a one.
    """
    places: dict[str, tuple[int, int]] = {}
    highest: dict[str, int] = {}
    for key, child in sorted(children, key=lambda pair: _natural(pair[0])):
        kind = re.sub(r"_\d+$", "", key)
        place = child.group("vars")
        highest[kind] = max(highest.get(kind, 0), child.address, place.address if place else 0)
        places[key] = highest[kind], len(places)
    return sorted(children, key=lambda pair: places[pair[0]])


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", text) if p)


def _without(part: Stored, taken: set[str]) -> Stored:
    return replace(part, variables=tuple(v for v in part.variables if v.dataset.path not in taken))
