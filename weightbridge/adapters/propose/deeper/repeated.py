"""Blocks that a network repeats: runs of the same layers of the same sizes, one block behind the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import PASSING

LONGEST = 64  # pieces of a block
UNSEEN = PASSING | {"Activation", "Input"}

Piece = tuple[Layer, ...]
Token = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """form: what the pieces of a block are made of, whatever their sizes. blocks: layers with tensors."""

    form: tuple[Token, ...]
    blocks: tuple[tuple[Layer, ...], ...]


def repeated(graph: LayerGraph) -> tuple[Run, ...]:
    """Every run of two blocks and more, from the input on."""
    pieces = _pieces(graph)
    tokens = [_token(piece, is_sized=True) for piece in pieces]
    found, start = list[Run](), 0
    while start < len(pieces):
        length, count = _longest(tokens, start)
        if count < 2:
            start += 1
            continue
        start = _latest(tokens, start, length, count)
        found.append(_run(pieces, start, length, count))
        start += length * count
    return tuple(run for run in found if any(run.blocks[0]))


def like(run: Run, graph: LayerGraph) -> Iterator[Run]:
    """The runs of this form, of whatever size and of one block too."""
    pieces, length = _pieces(graph), len(run.form)
    plain = [_token(piece, is_sized=False) for piece in pieces]
    tokens = [_token(piece, is_sized=True) for piece in pieces]
    start = 0
    while start + length <= len(pieces):
        if tuple(plain[start : start + length]) != run.form:
            start += 1
            continue
        count = _count(tokens, start, length)
        yield _run(pieces, start, length, count)
        start += length * count


def _pieces(graph: LayerGraph) -> list[Piece]:
    """The layers between places where a single value goes on; values without weights, as masks, aside."""
    pieces, piece = list[Piece](), list[Layer]()
    for layer, is_alone in _told_alone(graph):
        piece.append(layer)
        if is_alone:
            pieces.append(tuple(piece))
            piece = []
    return [found for found in (*pieces, tuple(piece)) if _token(found, is_sized=False)]


def _told_alone(graph: LayerGraph) -> Iterator[tuple[Layer, bool]]:
    """Each layer, and whether what it gives is all that the layers behind it read of those before them."""
    weighted, live = _weighted(graph), set[str]()
    left = {layer.name: len(set(graph.children[layer.name])) for layer in graph.layers}
    for layer in graph.layers:
        for parent in set(graph.parents[layer.name]):
            left[parent] -= 1
        live = {name for name in (*live, layer.name) if left[name] and name in weighted}
        yield layer, live <= {layer.name}


def _weighted(graph: LayerGraph) -> set[str]:
    """The layers with tensors, and those behind them."""
    found = set[str]()
    for layer in graph.layers:
        if layer.tensors or not found.isdisjoint(graph.parents[layer.name]):
            found.add(layer.name)
    return found


def _token(piece: Piece, *, is_sized: bool) -> Token:
    return tuple(
        _said(layer, is_sized=is_sized) for layer in piece if layer.tensors or layer.op not in UNSEEN
    )


def _said(layer: Layer, *, is_sized: bool) -> Token:
    if not is_sized:
        return layer.op, tuple(sorted(tensor.role for tensor in layer.tensors))
    shapes = tuple(sorted((tensor.role, tensor.shape) for tensor in layer.tensors))
    return layer.op, shapes, layer.attributes.get("strides")


def _longest(tokens: Sequence[Token], start: int) -> tuple[int, int]:
    """How long a block is and how often it comes, where it repeats the most; of equal ones the shortest."""
    lengths = range(1, min(LONGEST, (len(tokens) - start) // 2) + 1)
    counts = [(length, _count(tokens, start, length)) for length in lengths]
    again = [(length, count) for length, count in counts if count > 1]
    return max(again, key=lambda one: (one[0] * one[1], -one[0]), default=(1, 1))


def _count(tokens: Sequence[Token], start: int, length: int) -> int:
    block, count = tokens[start : start + length], 1
    while tokens[start + count * length : start + (count + 1) * length] == block:
        count += 1
    return count


def _latest(tokens: Sequence[Token], start: int, length: int, count: int) -> int:
    """What stands before the first block and looks like the end of one belongs to none."""
    others = (start + n for n in range(1, length))
    return max((other for other in others if _count(tokens, other, length) == count), default=start)


def _run(pieces: Sequence[Piece], start: int, length: int, count: int) -> Run:
    form = tuple(_token(piece, is_sized=False) for piece in pieces[start : start + length])
    starts = range(start, start + length * count, length)
    return Run(form, tuple(_block(pieces[at : at + length]) for at in starts))


def _block(pieces: Sequence[Piece]) -> tuple[Layer, ...]:
    return tuple(layer for piece in pieces for layer in piece if layer.tensors)
