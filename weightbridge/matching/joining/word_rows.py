"""The words of two lookups, compared, and the rows of tensors moved to the places of their words."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.matching.values import Match
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import split
from weightbridge.model.tensors import Tensor

Words = tuple[str, ...]
KNOWN, MARKS = "vocabulary", "unknown_words"  # details of a lookup: its words, and the rows of unknown ones
PLACE = "vocabulary_place"  # and where a `.keras` keeps them
ROWS = "rows"  # the transform
ROLES_OF_LOOKUPS = frozenset({"idf_weights"})
ROW_AXES = ("v", "i")  # of a table of embeddings; of a matrix that reads one number for each word


@dataclass(frozen=True, slots=True)
class Compared:
    """The words of two lookups: those of one side alone, and those at other places."""

    only_source: Words
    only_target: Words
    elsewhere: Words


def words_of(layer: Layer) -> Words:
    words: Words = layer.details.get(KNOWN, ())
    return words


def differ(given: Layer, wanted: Layer) -> bool:
    """Whether both lookups are known to have other words."""
    return bool(words_of(given) and words_of(wanted)) and words_of(given) != words_of(wanted)


def compared(source: Layer, target: Layer) -> Compared:
    given, wanted = words_of(source), words_of(target)
    places = {word: n for n, word in enumerate(given)}
    here = {word: n for n, word in enumerate(wanted)}
    return Compared(
        tuple(word for word in places if word not in here),
        tuple(word for word in here if word not in places),
        tuple(word for word, n in here.items() if word in places and places[word] != n),
    )


def moved_rows(
    source: LayerGraph, target: LayerGraph, lookups: tuple[Layer, Layer], found: Iterable[Match]
) -> dict[str, Match]:
    """The matches with their rows at the places of their words; {} unless all of them can be moved."""
    if not differ(*lookups):
        return {}
    moved = [_moved(source, target, lookups, match) for match in found]
    if any(match is None for match in moved):
        return {}
    return {match.target: match for match in moved if match is not None}


def _moved(
    source: LayerGraph, target: LayerGraph, lookups: tuple[Layer, Layer], found: Match
) -> Match | None:
    given, wanted = source.tensor_by_name[found.sources[0]], target.tensor_by_name[found.target]
    axis = _row_axis(wanted, len(words_of(lookups[1])))
    if axis is None or not _differ_in_one_axis(given.shape, wanted.shape, axis):
        return None
    rows = _rows(*lookups, given.shape[axis], wanted.shape[axis])
    if any(row is None or row >= given.shape[axis] for row in rows):
        return None
    lost = compared(*lookups).only_source
    parameters: dict[str, Any] = {"axis": axis, "rows": rows, "lost": len(lost)}
    return replace(found, transform=ROWS, parameters=parameters, evidence=(*found.evidence, "words"))


def _row_axis(tensor: Tensor, words: int) -> int | None:
    if tensor.role in ROLES_OF_LOOKUPS:
        return 0
    axes = split(tensor.axes)
    places = [axes.index(axis) for axis in ROW_AXES if axis in axes]
    return next((place for place in places if tensor.shape[place] >= words), None)


def _differ_in_one_axis(given: Sequence[int], wanted: Sequence[int], axis: int) -> bool:
    """Whether two shapes are the same but for the length of one axis."""
    return [*given[:axis], *given[axis + 1 :]] == [*wanted[:axis], *wanted[axis + 1 :]]


def _rows(given: Layer, wanted: Layer, source_rows: int, target_rows: int) -> list[int | None]:
    """The source's row for each row of the target; an unknown word has that of the source's first mark."""
    marks = given.details[MARKS]
    places = {word: n for n, word in enumerate(words_of(given)) if n not in marks}
    unknown = marks[0] if marks else None
    rows = [places.get(word, unknown) for word in words_of(wanted)]
    for index, row in enumerate(wanted.details[MARKS]):
        rows[row] = marks[index] if index < len(marks) else unknown
    for n in range(len(rows), target_rows):  # room that the lookup does not use
        is_room = len(words_of(given)) <= n < source_rows
        rows.append(n if is_room else unknown)
    return rows
