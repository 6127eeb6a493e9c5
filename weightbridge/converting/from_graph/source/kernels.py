"""Patterns that take a tensor of the source to the axes that Keras has."""

from collections.abc import Mapping
from typing import Any

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Group, Layout
from weightbridge.errors import Unsupported
from weightbridge.model.axes import is_identity, solve
from weightbridge.model.layouts import split
from weightbridge.model.tensors import Tensor

SPATIAL = frozenset("dhw")
Pattern = tuple[str, Mapping[str, Any]]
Axes = tuple[str, tuple[int, ...]]  # the names of Keras's axes, and their lengths


def pattern_of(tensor: Tensor, wanted: str, shape: tuple[int, ...], known: Mapping[str, int]) -> Pattern:
    """`o i h w -> h w i o` with its lengths. Raises Unsupported where the shapes do not fit."""
    if not tensor.axes:
        raise Unsupported(f"has a tensor {tensor.name} whose axes are not known")
    stored = _with_space_of(tensor, wanted)
    pattern = f"{stored} -> {_with_ones_for(stored, joined_axes(stored, wanted), shape)}"
    lengths = solve(pattern, tensor.shape, shape, known)
    if lengths is None:
        raise Unsupported(f"has a tensor {tensor.name} of shape {tensor.shape} ({tensor.axes}) "
                          f"where {shape} is expected")  # fmt: skip
    return ("", {}) if is_identity(pattern) else (pattern, lengths)


def joined_axes(stored: str, wanted: str) -> str:
    """Keras's axes, where the file stores one as several: of `i o0 o1` the `o` is `(o0 o1)`."""
    names = split(stored)
    parts = {name: [part for part in names if part[:-1] == name] for name in split(wanted)}
    return " ".join(f"({' '.join(parts[name])})" if parts[name] else name for name in split(wanted))


def _with_space_of(tensor: Tensor, wanted: str) -> str:
    """The axes of a kernel that was written over more axes of space than it has: `o h w i` -> `o 1 w i`."""
    names, space = split(tensor.axes), [name for name in split(wanted) if name in SPATIAL]
    surplus = sum(name in SPATIAL for name in names) - len(space)
    short = [n for n, name in enumerate(names) if name in SPATIAL and tensor.shape[n] == 1][: max(surplus, 0)]
    if surplus < 1 or len(short) < surplus:
        return tensor.axes
    kept = iter(space)
    return " ".join(
        "1" if n in short else next(kept) if name in SPATIAL else name for n, name in enumerate(names)
    )


def _with_ones_for(stored: str, wanted: str, shape: tuple[int, ...]) -> str:
    """Keras's axes, where those of length one that the file does not store have no name."""
    held = set(stored.replace("(", " ").replace(")", " ").split())
    names = split(wanted)
    if len(names) != len(shape):
        return wanted
    return " ".join(
        "1" if n == 1 and name not in held and " " not in name else name
        for name, n in zip(names, shape, strict=True)
    )


def put(call: Call, layer: str, tensor: Tensor, wanted: Axes, known: Mapping[str, int] | None = None) -> None:
    """A weight of a layer, by the axes that Keras has it in."""
    transform, parameters = pattern_of(tensor, *wanted, known or {})
    call.weight(layer, tensor.role, wanted[1], tensor, transform, parameters)


def put_vector(call: Call, layer: str, role: str, tensor: Tensor, layout: Layout, axis: int) -> None:
    """One number for each place of an axis of the source, in the order in which Keras has them."""
    call.weight(layer, role, (tensor.size,), tensor, *vector_of(tensor, layout, axis))


def vector_of(tensor: Tensor, layout: Layout, axis: int) -> Pattern:
    """How such a vector gets its order."""
    group = layout.source[layout.axis(axis)]
    held = _held(layout, group)
    if held == group:
        return flat(tensor)
    names = {atom: f"a{atom}" for atom in group}
    known = {names[atom]: layout.lengths[atom] or 1 for atom in group}
    ones = "1 " * (len(tensor.shape) - 1) if tensor.shape[-1] == tensor.size else ""
    source = f"{ones}({' '.join(names[a] for a in group)})"
    target = f"({' '.join(names[a] for a in held)})"
    return f"{source} -> {target}", known


def with_ones(moved: Pattern, behind: int) -> Pattern:
    """A pattern of a vector, with axes of length one behind it."""
    return (f"{moved[0] or 'o -> o'}{' 1' * behind}", moved[1]) if behind else moved


def flat(tensor: Tensor) -> Pattern:
    """A vector that is stored with axes of length one beside its own (`1 o 1 1 -> o`), or as several axes."""
    shape = tensor.shape
    if len(shape) == 1:
        return "", {}
    if tensor.size not in shape:
        names = " ".join(f"a{n}" for n in range(len(shape)))
        return f"{names} -> ({names})", {f"a{n}": length for n, length in enumerate(shape)}
    place = shape.index(tensor.size)
    axes = " ".join("o" if n == place else "1" for n in range(len(shape)))
    return f"{axes} -> o", {"o": tensor.size}


def rows(layout: Layout, axis: int) -> tuple[str, str, dict[str, int]]:
    """An axis of features as the source and as Keras has it: `c h w`, `h w c`, and the lengths."""
    group = layout.source[layout.axis(axis)]
    held = _held(layout, group)
    lengths = {f"a{atom}": layout.lengths[atom] or 1 for atom in group}
    return " ".join(f"a{a}" for a in group), " ".join(f"a{a}" for a in held), lengths


def _held(layout: Layout, group: Group) -> Group:
    """The atoms of one of the source's axes in the order in which Keras has them."""
    return next((g for g in layout.keras if g and sorted(g) == sorted(group)), group)
