"""What a transfer made, as a thing that can be run: a written file, or a live model as it now is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.formats.running import Runner
from weightbridge.formats.streamed import pieces_of
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.verify import Control, shuffled

BEFORE = "target before transfer"
SHUFFLED = "plan shuffled among same-shape tensors"
Pairs = Iterable[tuple[Tensor, Array]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The target after a transfer.

    model: the file, or the live model. stored: its graph. build: a runner in this dtype. holding: a runner of
    a copy with other values; before:
    one of what the target was. old: what a tensor held before.
    """

    model: Any
    stored: LayerGraph
    build: Callable[[str], Runner]
    holding: Callable[[Pairs], Runner]
    before: Callable[[], Runner]
    old: Callable[[str], Array]


def written_candidate(
    target: LayerGraph,
    path: Path,
    folder: Path,
    read: Callable[[Path], LayerGraph] = formats.read,
) -> Candidate:
    """A file, and copies of it in a folder. read: what `target` was read by."""
    stored, before = read(path), target.tensor_by_name

    def holding(values: Pairs) -> Runner:
        copy = folder / f"shuffled{path.suffix}"
        formats.write(stored, copy, values)
        return formats.runner(copy)

    return Candidate(
        model=path,
        stored=stored,
        build=lambda dtype: formats.runner(path, dtype),
        holding=holding,
        before=lambda: formats.runner(target.path),
        old=lambda name: before[name].load(),
    )


def live_candidate(model: Any, stored: LayerGraph, old: Mapping[str, Array]) -> Candidate:
    """A live model: it is called as it is, and with other values while its own stay where they are."""
    tensors = stored.tensor_by_name

    def holding(values: Pairs) -> Runner:
        runner: Any = formats.runner(model)
        held: Runner = runner.with_values((tensor.key, value) for tensor, value in values)
        return held

    return Candidate(
        model=model,
        stored=stored,
        build=lambda dtype: formats.runner(model, dtype),
        holding=holding,
        before=lambda: holding((tensors[name], value) for name, value in old.items()),
        old=old.__getitem__,
    )


def controls(candidate: Candidate, moved: frozenset[str], seed: int) -> tuple[Control, ...]:
    """The target before the transfer, and the plan shuffled among tensors of one shape; each must fail."""
    tensors = {tensor.name: tensor for tensor in candidate.stored.tensors if tensor.name in moved}
    return _before(candidate, tensors), _shuffled(candidate, tensors, seed)


def _before(candidate: Candidate, tensors: Mapping[str, Tensor]) -> Control:
    if all(_is_same(candidate.old(name), tensor.load()) for name, tensor in tensors.items()):
        return Control(BEFORE, reason="the target held these weights already")
    return Control(BEFORE, candidate.before)


def _is_same(old: Array, new: Array) -> bool:
    """Bit by bit, in pieces."""
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        return False
    pairs = zip(pieces_of(old, old.dtype), pieces_of(new, new.dtype), strict=True)
    return all(bytes(a) == bytes(b) for a, b in pairs)


def _shuffled(candidate: Candidate, tensors: Mapping[str, Tensor], seed: int) -> Control:
    mapping = shuffled(((n, tensor.load()) for n, tensor in tensors.items()), seed)
    if not mapping:
        return Control(SHUFFLED, reason="no two tensors of one shape differ")
    if _are_summed(candidate.stored, mapping):
        return Control(SHUFFLED, reason="the tensors of one shape are biases that are added to each other")
    values = [(tensors[n], source) for n, source in mapping.items()]
    return Control(SHUFFLED, lambda: candidate.holding((t, tensors[s].load()) for t, s in values))


def _are_summed(graph: LayerGraph, mapping: Mapping[str, str]) -> bool:
    """Whether each tensor and the one in its place are biases of one sum, as a cell of torch has two."""
    sums = {tensor.name: _sum_of(graph, layer) for layer in graph.layers for tensor in layer.tensors
            if tensor.role == "bias"}  # fmt: skip
    return all(sums.get(name) and sums.get(name) == sums.get(other) for name, other in mapping.items())


def _sum_of(graph: LayerGraph, layer: Layer) -> str:
    """The last sum that is the only reader of a layer, or of the sum before it; "" for none."""
    found, name = "", layer.name
    while layer.attributes.get("activation", "linear") in (None, "linear"):
        readers = graph.children.get(name, ())
        layer = graph.by_name[readers[0]] if len(readers) == 1 else layer
        if len(readers) != 1 or layer.op != "Add" or layer.name == name:
            break
        found = name = layer.name
    return found
