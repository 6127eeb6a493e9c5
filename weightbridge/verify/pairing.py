"""Which input of one model is which of the other, and how its axes are turned (NHWC against NCHW)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from weightbridge.formats.running import TEXT, InputSpec
from weightbridge.model.tensors import Array

Turn = Literal["same", "to-first", "to-last", "batch-second"]  # the last: (steps, batch) as (batch, steps)
TURNS: tuple[Turn, ...] = ("same", "to-first", "to-last")
MOST_MIXED = 3  # inputs each of which may be turned otherwise
BACK: dict[Turn, Turn] = {
    "same": "same",
    "to-first": "to-last",
    "to-last": "to-first",
    "batch-second": "batch-second",
}


@dataclass(frozen=True, slots=True)
class InputPair:
    """One input of both models.

    shape: what both allow, in the reference's layout. turn: takes its arrays to the candidate's.
    places: its position among the inputs of each side, by which a rebuilt or shuffled model with other names
    is fed too.
    """

    reference: InputSpec
    candidate: InputSpec
    turn: Turn
    shape: tuple[int | None, ...]
    places: tuple[int, int]

    @property
    def vocabulary(self) -> int | None:
        """The number of integers that both models know."""
        known = [v for v in (self.reference.vocabulary, self.candidate.vocabulary) if v is not None]
        return min(known) if known else None

    @property
    def least(self) -> int:
        """The first of these integers."""
        return max(self.reference.least, self.candidate.least)

    @property
    def batch(self) -> int:
        """Which axis of `shape` is the batch."""
        return 1 if self.turn == "batch-second" else 0

    @property
    def is_text(self) -> bool:
        return TEXT in (self.reference.dtype, self.candidate.dtype)

    @property
    def words(self) -> tuple[str, ...]:
        """Words that the models know."""
        return tuple(dict.fromkeys((*self.reference.words, *self.candidate.words)))


def pair_inputs(
    reference: Sequence[InputSpec], candidate: Sequence[InputSpec]
) -> tuple[tuple[InputPair, ...], ...]:
    """All ways to feed both models alike, by position and shape, the plainest first.

    There are several where the shapes do not tell a channel axis from a spatial one (8 x 8 x 8, or dynamic
    lengths).
    """
    if len(reference) != len(candidate):
        return ()
    images = sum(len(spec.shape) >= 3 for spec in reference)
    turns: tuple[Turn, ...] = (*TURNS, "batch-second")
    mixed = product(TURNS, repeat=images) if 1 < images <= MOST_MIXED else ()
    ways = (_paired(reference, candidate, turns) for turns in (*((turn,) * images for turn in turns), *mixed))
    return tuple(dict.fromkeys(pairs for pairs in ways if pairs))


def turned(array: Array, turn: Turn) -> Array:
    """The array with its channel axis moved; arrays of fewer than three axes have none to move."""
    if turn == "batch-second" and array.ndim > 1:
        return np.ascontiguousarray(np.swapaxes(array, 0, 1))
    if turn == "same" or array.ndim < 3:
        return array
    before, after = (-1, 1) if turn == "to-first" else (1, -1)
    return np.ascontiguousarray(np.moveaxis(array, before, after))


def aligned(reference: Array, candidate: Array, turn: Turn) -> Array | None:
    """The candidate's output or activation in the reference's layout.

    None where no layout joins the shapes.

    Four axes and more follow the inputs' turn where the shape allows both; three axes (sequences, boxes) stay
    as they are. Where no input is turned, images are (what a generator makes of a vector) if they must be.
    """
    choices = turns_back(reference, candidate, turn)
    return turned(candidate, choices[0]) if choices else in_shape(reference, candidate)


def turns_back(reference: Array, candidate: Array, turn: Turn) -> tuple[Turn, ...]:
    """What gives an array the reference's shape, the likeliest first: several of a cube, say."""
    tried = (*_tried(turn, is_image=reference.ndim >= 4), "batch-second")
    return tuple(choice for choice in tried if turned(candidate, choice).shape == reference.shape)


def in_shape(reference: Array, candidate: Array) -> Array | None:
    """The array where it has the reference's shape but for axes of length one."""
    is_same_without_ones = [n for n in reference.shape if n != 1] == [n for n in candidate.shape if n != 1]
    return candidate.reshape(reference.shape) if is_same_without_ones else None


def _tried(turn: Turn, *, is_image: bool) -> tuple[Turn, ...]:
    """How an array may be turned back, the likeliest way first."""
    if turn in ("same", "batch-second"):
        return TURNS if is_image else ("same",)
    return (BACK[turn], "same") if is_image else ("same", BACK[turn])


def _paired(
    reference: Sequence[InputSpec], candidate: Sequence[InputSpec], turns: Sequence[Turn]
) -> tuple[InputPair, ...]:
    """All inputs, or none where one of them does not fit. turns: of those with three axes and more."""
    pairs, left = [], iter(turns)
    for places in enumerate(_order(reference, candidate)):
        specs = reference[places[0]], candidate[places[1]]
        own_turn: Turn = next(left) if len(specs[0].shape) >= 3 else "same"
        own_turn = "batch-second" if _has_batch_second(*specs) else own_turn
        pair = _pair(specs, places, own_turn)
        if pair is None:
            return ()
        pairs.append(pair)
    return tuple(pairs)


def _order(reference: Sequence[InputSpec], candidate: Sequence[InputSpec]) -> Sequence[int]:
    """By position; by name where all names agree and positions do not."""
    places = {spec.name: i for i, spec in enumerate(candidate)}
    names = [spec.name for spec in reference]
    if set(places) != set(names):
        return range(len(candidate))
    return [places[name] for name in names]


def _has_batch_second(reference: InputSpec, candidate: InputSpec) -> bool:
    """Whether the reference has a fixed length where the candidate's batch is: (7, None) and (None, 7)."""
    if len(reference.shape) != len(candidate.shape) or len(candidate.shape) < 2:
        return False
    first, second = reference.shape[:2]
    is_moved = candidate.shape[0] is None and first is not None and second != first
    return is_moved and candidate.shape[1] == first


def _has_batch_first(spec: InputSpec) -> bool:
    """Whether the first axis alone is open, of those that may be the batch."""
    return spec.shape[0] is None and len(spec.shape) > 1 and spec.shape[1] is not None


def _pair(specs: tuple[InputSpec, InputSpec], places: tuple[int, int], turn: Turn) -> InputPair | None:
    reference, candidate = specs
    if len(reference.shape) != len(candidate.shape):
        return None
    shape = candidate.shape
    match turn:
        case "to-first":
            shape = (shape[0], *shape[2:], shape[1])
        case "to-last":
            shape = (shape[0], shape[-1], *shape[1:-1])
        case "batch-second":
            shape = (shape[1], shape[0], *shape[2:])
        case "same":
            pass
    joined = tuple(a if b is None else b for a, b in zip(reference.shape, shape, strict=True))
    is_possible = all(a is None or a == b for a, b in zip(reference.shape, joined, strict=True))
    is_possible &= turn != "batch-second" or not _has_batch_first(reference)
    return InputPair(reference, candidate, turn, joined, places) if is_possible else None
