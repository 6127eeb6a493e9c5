"""Groups of Keras 3's layout: which of them stand for layers, what they are called, in which order."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.architecture.classes import STATE
from weightbridge.formats.keras.variables.copied import is_copied_kernel
from weightbridge.formats.keras.variables.legacy_names import CELL

LAYERS, OLDER_LAYERS = "layers", "_layer_checkpoint_dependencies"
CONTAINERS = (LAYERS, OLDER_LAYERS)
PROJECTIONS = {"query": "query", "key": "key", "value": "value", "output": "attention_output"}


def group_at(root: Group, store: str) -> Group | None:
    """The group of a layer by the path that Keras 3 gives it, in whatever container the file keeps layers."""
    group: Group | None = root
    parts = iter(store.split("/"))
    for part in parts:
        if group is None:
            return None
        older = group.group(OLDER_LAYERS) if part == LAYERS and group.group(LAYERS) is None else None
        group = group.group(part) if older is None else _nth_of_class(older, next(parts, ""))
    return group


def _nth_of_class(container: Group, key: str) -> Group | None:
    """The group of the n-th layer of a class, where numbers have gaps.

    Keras 2.12 and 2.13 count a layer with weights twice (`layer_with_weights-0` and `layer-1` are one) and
    write it once: `dense`, `dense_2`, `dense_4` (saving_lib.py, _save_container_state).
    """
    base, number = _counted(key)
    alike = [name for name in container.children if _counted(name)[0] == base]
    alike.sort(key=lambda name: _counted(name)[1])
    return container.group(alike[number]) if number < len(alike) else None


def _counted(key: str) -> tuple[str, int]:
    """A class's name in snake case and its number: `dense_2` -> ("dense", 2), `dense` -> ("dense", 0)."""
    base, is_numbered, number = key.rpartition("_")
    return (base, int(number)) if is_numbered and number.isdecimal() else (key, 0)


def is_counter(dataset: Dataset) -> bool:
    """Whether an array is a single integer: bookkeeping, such as how many samples Normalization has seen."""
    return dataset.shape == () and dataset.dtype.kind in "iub"


def is_state(path: str) -> bool:
    """Whether a path is that of an optimizer, of metrics, or of a seed generator anywhere."""
    parts = path.split("/")
    return parts[0] in STATE or any("seed_generator" in part for part in parts)


def own_variables(group: Group | None) -> tuple[Dataset, ...]:
    """The datasets under `vars`, by number, without the copy of a wrapped layer's kernel."""
    place = group.group("vars") if group else None
    if group is None or place is None:
        return ()
    datasets = [child for child in place.children.values() if isinstance(child, Dataset)]
    variables = [dataset for dataset in datasets if not is_counter(dataset)]
    variables.sort(key=lambda variable: _natural(variable.path))
    return tuple(variables[1:] if is_copied_kernel(group, variables) else variables)


def layer_groups(group: Group, names: tuple[str, ...] = ()) -> Iterator[tuple[Group, tuple[str, ...]]]:
    """All groups below that stand for a layer, with the names on the way to them.

    State is left out; a cell stands for its layer.
    """
    children = _children(group)
    labels = _labels(children)
    for key, child in saved_order(children):
        below = names if _adds_no_name(key, child, labels[key]) else (*names, labels[key])
        cell = _only_cell(child)
        if cell is not None:
            yield cell, below
            continue
        if child.group("vars") is not None:
            yield child, below
        yield from layer_groups(child, below)


def _children(group: Group) -> list[tuple[str, Group]]:
    """The groups that may hold layers, by name."""
    children = []
    for key, child in group.children.items():
        if isinstance(child, Group) and key != "vars" and not is_state(child.path):
            children.append((key, child))
    return children


def saved_order(children: Sequence[tuple[str, Group]]) -> list[tuple[str, Group]]:
    """The order in which the groups were written.

    HDF5 lists names by the alphabet. Counters order the layers of one class for sure; across classes the
    address of a group's header tells, for headers are given out from low to high, except where a freed hole
    is filled: a header lower than that of the layer of the same class before it is such a one.
    """
    places: dict[str, tuple[int, int]] = {}
    highest: dict[str, int] = {}
    for key, child in sorted(children, key=lambda pair: _natural(pair[0])):
        kind = re.sub(r"_\d+$", "", key)
        variables = child.group("vars")
        address = max(child.address, variables.address if variables else 0)
        highest[kind] = max(highest.get(kind, 0), address)
        places[key] = highest[kind], len(places)
    return sorted(children, key=lambda pair: places[pair[0]])


def user_name(group: Group) -> str:
    """The name that the user gave to a layer, "" where the file does not keep it."""
    place = group.group("vars")
    name = place.attributes.get("name") if place else None
    return name if isinstance(name, str) else ""


def _only_cell(group: Group) -> Group | None:
    """The cell of a recurrent layer, whose variables are the layer's; None for another group."""
    cell = group.group("cell")
    if cell is None or not own_variables(cell):
        return None
    return cell if CELL.fullmatch(user_name(cell) or "cell") else None


def _adds_no_name(key: str, group: Group, label: str) -> bool:
    """Lists of layers, and what holds the cells of a recurrent layer."""
    if key in CONTAINERS:
        return group.group("vars") is None
    return key == "cells" or (key == "cell" and bool(CELL.fullmatch(label)))


def _labels(children: Sequence[tuple[str, Group]]) -> dict[str, str]:
    """What each group is called: by the user where that name is stored and unique, else by its key."""
    names = {key: user_name(child) or _projection(key) for key, child in children}
    counts = Counter(names.values())
    labels = {}
    for key, name in names.items():
        is_unique = bool(name) and counts[name] == 1
        labels[key] = name if is_unique else key
    return labels


def _projection(key: str) -> str:
    """What attention calls its projections, which it keeps as `_query_dense`, `_output_dense`, ..."""
    word, _, last = key.removeprefix("_").rpartition("_")
    return PROJECTIONS.get(word, "") if last == "dense" else ""


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = [part for part in re.split(r"(\d+)", text) if part]
    keys = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
    return tuple(keys)
