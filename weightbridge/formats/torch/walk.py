"""The tensors in a nest of dicts, lists and objects, with their paths; any nest is bounded."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from weightbridge.errors import ResourceBomb
from weightbridge.formats.torch.values import Object, StoredTensor, UnsupportedTensor

Leaf = StoredTensor | UnsupportedTensor
TENSORS = (StoredTensor, UnsupportedTensor)
CONTAINERS = (dict, list, tuple)
GENERATORS = frozenset({"torch._C.Generator", "torch.Generator"})  # whose state is a tensor, and no weight
DEEPEST = 100
MOST_REPEATED = 200_000  # values in containers that occur more than once


class Node(NamedTuple):
    """A value and the way to it."""

    value: Any
    key: str
    parent: "Node | None"
    depth: int


def tensors_in(value: Any, where: str, enters_foreign: bool = True) -> list[tuple[str, Leaf]]:
    """(dotted path, tensor) in the order of the file, those inside objects of foreign classes on request.

    Raises ResourceBomb for a nest that is deeper or larger than any model.
    """
    return [
        (_path(node), node.value) for node in _nodes(value, where, enters_foreign) if _is_tensor(node.value)
    ]


def objects_in(value: Any, where: str, is_wanted: Callable[[Object], bool]) -> list[tuple[str, Object]]:
    """(dotted path, object) of the objects that are wanted, in dicts and lists at any depth."""
    nodes = _nodes(value, where, enters_foreign=False)
    found = [(node, node.value) for node in nodes if isinstance(node.value, Object)]
    return [(_path(node), thing) for node, thing in found if is_wanted(thing)]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, TENSORS)


def _nodes(value: Any, where: str, enters_foreign: bool) -> Iterator[Node]:
    """Every value in the nest that is a tensor, a container or an object, in the order of the file."""
    waiting = [Node(value, "", None, 0)]
    seen: set[int] = set()
    repeated = 0
    while waiting:
        node = waiting.pop()
        yield node
        if _is_tensor(node.value):
            continue
        children = list(_children(node, enters_foreign))
        if id(node.value) in seen:
            repeated += len(children)
        seen.add(id(node.value))
        is_too_deep = node.depth >= DEEPEST and bool(children)
        if is_too_deep or repeated > MOST_REPEATED:
            raise _bomb(where)
        waiting += reversed(children)


def _bomb(where: str) -> ResourceBomb:
    return ResourceBomb(
        f"containers nested deeper than {DEEPEST}, or one in another so often that they hold over"
        f" {MOST_REPEATED} values",
        where=where,
        fix="Do not use it unless you trust where it comes from; there, save the state dict alone",
    )


def _children(node: Node, enters_foreign: bool) -> Iterator[Node]:
    """What may hold tensors; a container inside itself is entered once."""
    value = _inside(node.value, enters_foreign) if isinstance(node.value, Object) else node.value
    if not isinstance(value, CONTAINERS) or _is_inside_itself(node):
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in pairs:
        if isinstance(child, (*CONTAINERS, *TENSORS, Object)):
            yield Node(child, str(key), node, node.depth + 1)


def _inside(thing: Object, enters_foreign: bool) -> Any:
    """What may hold tensors in an object: its state, and what was put into it."""
    if thing.kind in GENERATORS or (thing.is_foreign and not enters_foreign):
        return None
    if not thing.held:
        return thing.state
    return [thing.state, *thing.held]


def _is_inside_itself(node: Node) -> bool:
    above = node.parent
    while above is not None:
        if above.value is node.value:
            return True
        above = above.parent
    return False


def _path(node: Node) -> str:
    parts: list[str] = []
    here: Node | None = node
    while here is not None and here.parent is not None:
        parts.append(here.key)
        here = here.parent
    return ".".join(reversed(parts))
