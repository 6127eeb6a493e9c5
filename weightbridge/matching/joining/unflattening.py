"""Outputs that a Reshape turns into a map: channels first on one side, channels last on the other."""

from typing import Any

from weightbridge.matching.units.flattening import unflatten_lengths
from weightbridge.model.axes import parse
from weightbridge.model.graph import Layer, LayerGraph

Transform = tuple[str, dict[str, Any]]
WRITERS = frozenset({"Dense", "BatchNorm"})
LETTERS = {"c": "k", "d": "z", "h": "y", "w": "x"}  # other than those of a Flatten before the layer


def with_output_order(
    found: Transform | None,
    source: tuple[LayerGraph, Layer],
    target: tuple[LayerGraph, Layer],
    shape: tuple[int, ...],
) -> Transform | None:
    """The transform with its output axis put into the target's order; shape: the target's."""
    if found is None or source[1].op != target[1].op or target[1].op not in WRITERS:
        return found
    lengths, is_first = unflatten_lengths(source, target)
    transform, parameters = found
    if not lengths or (transform and "->" not in transform):
        return found if not lengths else None
    pattern = transform or ("i o -> i o" if len(shape) == 2 else "o -> o")
    left, right = _split(pattern, lengths, is_first)
    return f"{left} -> {right}", {
        **parameters,
        **{LETTERS[n]: size for n, size in lengths.items()},
        **_rest(pattern, shape),
    }


def _split(pattern: str, lengths: dict[str, int], is_first: bool) -> tuple[str, str]:
    """The output axis, the last one of the target, as the map's axes in either order."""
    space = [LETTERS[n] for n in lengths if n != "c"]
    orders = f"({' '.join(['k', *space])})", f"({' '.join([*space, 'k'])})"
    axis = parse(pattern).target[-1][0]
    left, right = (side.strip() for side in pattern.split("->"))
    one, other = orders if is_first else orders[::-1]
    return _replaced(left, axis, one), _replaced(right, axis, other)


def _replaced(side: str, axis: str, by: str) -> str:
    return " ".join(by if part == axis else part for part in side.split(" "))


def _rest(pattern: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Lengths of the target's other plain axes, which einops may need beside the new ones."""
    return {
        group[0]: n
        for group, n in zip(parse(pattern).target[:-1], shape, strict=False)
        if len(group) == 1 and not group[0].isdigit()
    }
