"""Nodes that only turn or rename a value: what they do to its shape, and how a tensor's own axes follow from
a reader's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from weightbridge.formats.onnx.proto import Node
from weightbridge.model.tensors import Array

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One step between a tensor and the node that reads it. `numbers`: the permutation, the axes (of the
    longer side) or the shape.
    """

    op: str
    numbers: tuple[int, ...]
    shape: Shape | None


def view_of(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> View | None:
    """The view that a node is of its first input, which has this shape; None for any other node."""
    match node.op:
        case "Identity" | "Cast" | "Dropout" | "CastLike":
            return View(node.op, (), shape)
        case "Transpose":
            return _transposed(node, shape)
        case "Squeeze":
            return _squeezed(node, shape, numbers)
        case "Unsqueeze":
            return _unsqueezed(node, shape, numbers)
        case "Reshape" | "Flatten":
            target = _target(node, shape, numbers)
            return View("Reshape", target, target) if target is not None else View("Reshape", (), None)
    return None


def axes_of(node: Node, numbers: Mapping[str, Array]) -> tuple[int, ...] | None:
    """A node's axes, from its attribute or its second input; None where they are not given."""
    if "axes" in node.attributes:
        return tuple(node.attributes["axes"])
    found = numbers.get(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
    return None if found is None else tuple(int(n) for n in found.reshape(-1))


def stored_axes(labels: str, views: tuple[View, ...], shape: Shape) -> str:
    """The axes of a tensor as it is stored (`i o`), from those that its reader sees (`o i`); "" where they
    cannot be told.

    shape: the stored shape. A label is an axis name, `1`, or several names in brackets.
    """
    names = _split(labels)
    for view in reversed(views):
        if view.op == "Transpose" and len(view.numbers) == len(names):
            names = [names[view.numbers.index(i)] for i in range(len(names))]
        elif view.op == "Unsqueeze":
            names = [n for i, n in enumerate(names) if i not in {a % len(names) for a in view.numbers}]
        elif view.op == "Squeeze":
            for axis in sorted(view.numbers):
                names.insert(axis, "1")
        elif view.op in ("Reshape", "Transpose"):
            names = _unreshaped(names, view, shape)
        if not names and shape:
            return ""
    return " ".join(names) if len(names) == len(shape) else ""


def _unreshaped(names: list[str], view: View, shape: Shape) -> list[str]:
    """Only lengths of one came or went, or an axis of two names was two axes; anything else cannot be told
    from labels.
    """
    if view.shape is None or len(view.shape) != len(names):
        return []
    kept = [(name, n) for name, n in zip(names, view.shape, strict=True) if n > 1]
    long = [n for n in shape if n > 1]
    if [n for _, n in kept] != long:
        kept = _apart(kept, long)
    named = iter(kept)
    return [next(named)[0] if n > 1 else "1" for n in shape] if [n for _, n in kept] == long else []


def _apart(kept: list[tuple[str, int]], long: list[int]) -> list[tuple[str, int]]:
    """The one axis of several names (`(c m)`) as an axis for each of them, with the lengths that stand there."""
    at = next((i for i, (name, _) in enumerate(kept) if name.startswith("(")), None)
    if at is None:
        return kept
    inner = kept[at][0].strip("()").split()
    lengths = long[at : at + len(inner)]
    return (
        [*kept[:at], *zip(inner, lengths, strict=False), *kept[at + 1 :]]
        if prod(lengths) == kept[at][1]
        else kept
    )


def _split(labels: str) -> list[str]:
    found: list[str] = []
    for part in labels.replace("(", " ( ").replace(")", " ) ").split():
        if part == ")":
            group = found[found.index("(") + 1 :]
            del found[found.index("(") :]
            found.append(f"({' '.join(group)})")
        else:
            found.append(part)
    return found


def _transposed(node: Node, shape: Shape | None) -> View:
    order = tuple(node.attributes.get("perm", ())) or (
        tuple(reversed(range(len(shape)))) if shape is not None else ()
    )
    if shape is None or sorted(order) != list(range(len(shape))):
        return View("Transpose", order, None)
    return View("Transpose", order, tuple(shape[i] for i in order))


def _squeezed(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> View:
    if shape is None:
        return View("Squeeze", (), None)
    axes = axes_of(node, numbers)
    gone = (
        tuple(sorted(a % len(shape) for a in axes))
        if axes and shape
        else tuple(i for i, n in enumerate(shape) if n == 1)
    )
    return View("Squeeze", gone, tuple(n for i, n in enumerate(shape) if i not in gone))


def _unsqueezed(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> View:
    axes = axes_of(node, numbers)
    if shape is None or axes is None or len(shape) + len(axes) > 64:
        return View("Unsqueeze", (), None)
    rank = len(shape) + len(axes)
    added, rest = tuple(sorted(a % rank for a in axes)), iter(shape)
    return View("Unsqueeze", added, tuple(1 if i in added else next(rest, 1) for i in range(rank)))


def _target(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> Shape | None:
    """The shape that a Reshape or Flatten of a known shape gives."""
    if shape is None:
        return None
    if node.op == "Flatten":
        axis = int(node.attributes.get("axis", 1)) % (len(shape) + 1)
        return prod(shape[:axis]), prod(shape[axis:])
    asked = node.attributes.get("shape") or (
        numbers[node.inputs[1]].reshape(-1).tolist()
        if len(node.inputs) > 1 and node.inputs[1] in numbers
        else None
    )
    if asked is None or len(asked) > 64:
        return None
    target = [int(shape[i]) if n == 0 and i < len(shape) else int(n) for i, n in enumerate(asked)]
    known = prod(n for n in target if n > 0)
    return tuple(prod(shape) // known if n < 0 and known else n for n in target)
