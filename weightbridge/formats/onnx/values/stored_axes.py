"""The axes of a tensor as it is stored, from those that its reader sees through views."""

from math import prod

from weightbridge.formats.onnx.values.views import Shape, View

Labelled = list[tuple[str, int]]  # axis labels with their lengths
MATRIX = 2  # axes


def stored_axes(labels: str, views: tuple[View, ...], shape: Shape) -> str:
    """The stored axes (`i o`) from those that the reader sees (`o i`); "" where they cannot be told.

    shape: the stored shape. A label is an axis name, `1`, or several names in brackets.
    """
    names = _split(labels)
    before = (shape, *(view.shape for view in views))
    for i, view in reversed(tuple(enumerate(views))):
        names = _before(names, view, before[i] or shape)
        if not names and shape:
            return ""
    return " ".join(names) if len(names) == len(shape) else ""


def _split(labels: str) -> list[str]:
    """`i (c m) o` -> [`i`, `(c m)`, `o`]."""
    names: list[str] = []
    for part in labels.replace("(", " ( ").replace(")", " ) ").split():
        if part != ")":
            names.append(part)
            continue
        opening = names.index("(")
        group = names[opening + 1 :]
        names[opening:] = [f"({' '.join(group)})"]
    return names


def _before(names: list[str], view: View, shape: Shape) -> list[str]:
    """The labels before a view, from those behind it; [] where they cannot be told."""
    match view.op:
        case "Transpose" if len(view.numbers) == len(names):
            return [names[view.numbers.index(i)] for i in range(len(names))]
        case "Unsqueeze":
            return _without(names, view.numbers)
        case "Squeeze":
            return _with_ones(names, view.numbers)
        case "Reshape" | "Transpose":
            return _before_reshape(names, view, shape)
    return names


def _without(names: list[str], axes: tuple[int, ...]) -> list[str]:
    if not names:
        return []
    removed = {axis % len(names) for axis in axes}
    return [name for i, name in enumerate(names) if i not in removed]


def _with_ones(names: list[str], axes: tuple[int, ...]) -> list[str]:
    wider = list(names)
    for axis in sorted(axes):
        wider.insert(axis, "1")
    return wider


def _before_reshape(names: list[str], view: View, shape: Shape) -> list[str]:
    """Where only lengths of one came or went, or one axis was several; [] for anything else."""
    if view.shape is None or len(view.shape) != len(names):
        return []
    stored = [n for n in shape if n > 1]
    seen = _apart(_long(names, view.shape), stored, is_matrix=len(names) == MATRIX)
    if _lengths(seen) != stored:
        return []
    long_names = (name for name, _ in seen)
    return [next(long_names) if n > 1 else "1" for n in shape]


def _apart(seen: Labelled, stored: list[int], *, is_matrix: bool) -> Labelled:
    """Those that are stored as several axes by the names of these."""
    if _lengths(seen) != stored:
        seen = _ungrouped(seen, stored)
    return _divided(seen, stored) if _lengths(seen) != stored and is_matrix else seen


def _long(names: list[str], lengths: Shape) -> Labelled:
    """The axes that are longer than one."""
    return [(name, n) for name, n in zip(names, lengths, strict=True) if n > 1]


def _lengths(labelled: Labelled) -> list[int]:
    return [n for _, n in labelled]


def _ungrouped(labelled: Labelled, stored: list[int]) -> Labelled:
    """The axis of several names (`(c m)`) as one axis for each of them, with the stored lengths."""
    at = next((i for i, (name, _) in enumerate(labelled) if name.startswith("(")), None)
    if at is None:
        return labelled
    group, length = labelled[at]
    names = group.strip("()").split()
    lengths = stored[at : at + len(names)]
    if prod(lengths) != length:
        return labelled
    inner = zip(names, lengths, strict=False)
    return [*labelled[:at], *inner, *labelled[at + 1 :]]


def _divided(labelled: Labelled, stored: list[int]) -> Labelled:
    """The axes of a matrix, each as the several ones that it is stored as: `i o` -> `i o0 o1`."""
    left, divided = stored, Labelled()
    for name, length in labelled:
        count = next((n for n in range(1, len(left) + 1) if prod(left[:n]) == length), 0)
        parts, left = left[:count], left[count:]
        divided += [(name if count == 1 else f"{name}{n}", part) for n, part in enumerate(parts)]
    return divided if not left else labelled
