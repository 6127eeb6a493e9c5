"""Outputs that a Reshape turns into a map: channels first on one side, channels last on the other."""

from typing import Any

from weightbridge.matching.units.flattening import unflatten_lengths
from weightbridge.model.axes import parse
from weightbridge.model.graph import Layer, LayerGraph

Transform = tuple[str, dict[str, Any]]
WRITERS = frozenset({"Dense", "BatchNorm"})
LETTERS = {"c": "k", "d": "z", "h": "y", "w": "x"}  # other than those of a Flatten before the layer


def with_output_order(
    plain: Transform | None,
    source: tuple[LayerGraph, Layer],
    target: tuple[LayerGraph, Layer],
    shape: tuple[int, ...],
) -> Transform | None:
    """A transform with its output axis put into the target's order; shape: the target's.

    None where no pattern can say it.
    """
    if plain is None or source[1].op != target[1].op or target[1].op not in WRITERS:
        return plain
    lengths, is_first = unflatten_lengths(source, target)
    if not lengths:
        return plain
    transform, parameters = plain
    if transform and "->" not in transform:
        return None
    copy = "i o -> i o" if len(shape) == 2 else "o -> o"
    pattern = transform or copy
    left, right = _split(pattern, lengths, is_first)
    of_map = {LETTERS[name]: length for name, length in lengths.items()}
    return f"{left} -> {right}", {**parameters, **of_map, **_rest(pattern, shape)}


def _split(pattern: str, lengths: dict[str, int], is_first: bool) -> tuple[str, str]:
    """The output axis, the last one of the target, as the map's axes in either order."""
    space = [LETTERS[n] for n in lengths if n != "c"]
    first, last = f"({' '.join(['k', *space])})", f"({' '.join([*space, 'k'])})"
    before, after = (first, last) if is_first else (last, first)
    axis = parse(pattern).target[-1][0]
    left, right = (side.strip() for side in pattern.split("->"))
    return _replaced(left, axis, before), _replaced(right, axis, after)


def _replaced(side: str, axis: str, by: str) -> str:
    return " ".join(by if part == axis else part for part in side.split(" "))


def _rest(pattern: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Lengths of the target's other plain axes, which einops may need beside the new ones."""
    return {
        group[0]: n
        for group, n in zip(parse(pattern).target[:-1], shape, strict=False)
        if len(group) == 1 and not group[0].isdigit()
    }
