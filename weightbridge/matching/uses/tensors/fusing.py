"""Fused matrices that the other side keeps apart: `qkv_proj` -> `q_proj`, `k_proj`, `v_proj`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from weightbridge.boundary.records import dataclass
from weightbridge.matching.confidence import BY_WORDS, DOUBTFUL, SAME_FUNCTION
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.units.units import plain_role
from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.tensors.stacks import Transform, is_stack, lies_turned
from weightbridge.matching.values import Match
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import MATRICES
from weightbridge.model.tensors import Tensor

PARTS = {
    "qkv": ("query", "key", "value"),
    "kv": ("key", "value"),
    "gate_up": ("gate", "up"),
    "cross_qkv": ("cross_query", "cross_key", "cross_value"),
    "cross_kv": ("cross_key", "cross_value"),
}
BY_HEAD = (
    "query",
    "key",
    "value",
)  # `query_key_value` lies head by head in most families, others part by part
IN_ORDER = (("in", "projection"), ("c", "attention"))  # names of query, key and value one after the other
EVIDENCE = ("name", "fused")
Lengths = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fusion:
    """Places of the leaves on both sides: one source and several targets, or the other way round."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]

    def matches(self, source: Sequence[Use], target: Sequence[Use], joiner: Joiner) -> Iterator[Match]:
        given, wanted = [source[i] for i in self.sources], [target[j] for j in self.targets]
        yield from _split(given[0], wanted, joiner) if len(given) == 1 else _joined(given, wanted[0], joiner)


def fusions(source: Sequence[Use], target: Sequence[Use]) -> tuple[Fusion, ...]:
    """Every fused leaf of one side whose parts the other has, one of each function."""
    splits = [Fusion((i,), parts) for i, parts in _fused(source, target)]
    joins = [Fusion(parts, (j,)) for j, parts in _fused(target, source)]
    return (*splits, *joins)


def _fused(whole: Sequence[Use], apart: Sequence[Use]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Places of fused leaves, each with the places of its parts."""
    for i, use in enumerate(whole):
        for parts in (_named_parts(use, apart), _numbered_parts(use, apart)):
            if parts and sum(apart[j].leaf.size for j in parts) == use.leaf.size:
                yield i, parts
                break


def _named_parts(whole: Use, apart: Sequence[Use]) -> tuple[int, ...]:
    """The only leaf of each function that is fused; () where one has none or several."""
    parts = []
    for function in PARTS.get(whole.function, ()):
        places = [j for j, use in enumerate(apart) if use.function == function]
        if len(places) != 1:
            return ()
        parts.append(places[0])
    return tuple(parts)


def _numbered_parts(whole: Use, apart: Sequence[Use]) -> tuple[int, ...]:
    """The first stacks of half its size whose number is all their name: gates come before ups."""
    if whole.function != "gate_up" or not is_stack(whole.leaf):
        return ()
    return tuple(j for j, use in enumerate(apart) if _is_numbered_half(whole.leaf, use))[:2]


def _is_numbered_half(whole: Leaf, use: Use) -> bool:
    if not is_stack(use.leaf) or 2 * use.leaf.size != whole.size:
        return False
    is_number = not use.function and use.inner[-1:] != () and use.inner[-1].isdigit()
    return is_number and use.leaf.flow == _half(whole.flow, use.leaf.flow)


def _half(whole: tuple[int, int] | None, part: tuple[int, int] | None) -> tuple[int, int] | None:
    """(in, out) of one of two parts of a matrix; what the part says where the whole does not tell."""
    return part if whole is None else (whole[0], whole[1] // 2)


def _split(given: Use, wanted: Sequence[Use], joiner: Joiner) -> Iterator[Match]:
    """A fused matrix into its parts, in the order of its name."""
    lengths = _lengths(given.leaf, wanted)
    bounds = pairwise(accumulate(lengths, initial=0))
    is_by_head = given.inner[-3:] == BY_HEAD and len(set(lengths)) == 1
    confidence = DOUBTFUL if is_by_head else _how_sure(given, lengths)
    for place, (use, rows) in enumerate(zip(wanted, bounds, strict=True)):
        for tensor, part, cut in _cuts(given.leaf, rows, use.leaf, joiner):
            gathered = _by_head(cut, part, place, len(wanted), use.leaf) if is_by_head else cut
            yield Match(tensor.name, (part.name,), *gathered, False, confidence, EVIDENCE)


def _how_sure(given: Use, lengths: Lengths) -> float:
    """Where the name is one that has its thirds in this order alone (`in_proj_weight`, `c_attn`), sure."""
    is_known = given.function == "qkv" and any(given.inner[-len(name) :] == name for name in IN_ORDER)
    return SAME_FUNCTION if is_known and len(set(lengths)) == 1 else BY_WORDS


def _cuts(
    whole: Leaf, rows: tuple[int, int], target: Leaf, joiner: Joiner
) -> Iterator[tuple[Tensor, Tensor, Transform]]:
    """Each tensor of a part, the fused one that it is cut from, and how."""
    for role, tensor in target.tensors:
        fused = _part_of(whole, role)
        cut = _cut(whole, fused, rows, target, tensor, joiner) if fused else None
        if fused and cut:
            yield tensor, fused, cut


def _lengths(whole: Leaf, parts: Sequence[Use]) -> Lengths:
    """How long each part is along the axis of the fused matrix."""
    width = whole.size // whole.main.shape[_axis(whole)]
    return tuple(part.leaf.size // width for part in parts)


def _axis(whole: Leaf) -> int:
    """The axis of a fused matrix along which its parts lie: the outputs."""
    shape = whole.main.shape
    if is_stack(whole):
        return 1 if lies_turned(whole) is not False else len(shape) - 1
    is_first = len(shape) == 2 and whole.main.axes != MATRICES[False]
    return 0 if is_first else len(shape) - 1


def _part_of(whole: Leaf, role: str) -> Tensor | None:
    """The tensor of a leaf that has this role."""
    if is_stack(whole):
        return whole.main
    for own_role, tensor in whole.tensors:
        if plain_role(own_role.removeprefix("in_proj_")) == plain_role(role):
            return tensor
    return None


def _cut(
    whole: Leaf, given: Tensor, rows: tuple[int, int], target: Leaf, wanted: Tensor, joiner: Joiner
) -> Transform | None:
    """The rows of a fused tensor that are one part, as the target keeps it."""
    start, stop = rows
    axis = _axis_of(given, whole)
    transform = _whole_to_part(whole, _with_length(given, axis, stop - start), target, wanted, joiner)
    if transform is None:
        return None
    pattern, lengths = transform
    return "slice", {"axis": axis, "start": start, "stop": stop, "pattern": pattern, **lengths}


def _axis_of(tensor: Tensor, whole: Leaf) -> int:
    """The axis of one tensor of a fused leaf along which the parts lie; that of a bias is its last."""
    return _axis(whole) if tensor is whole.main else len(tensor.shape) - 1


def _with_length(tensor: Tensor, axis: int, length: int) -> Tensor:
    """One part of a fused tensor, as a tensor of a plain dense layer."""
    shape = (*tensor.shape[:axis], length, *tensor.shape[axis + 1 :])
    return replace(tensor, shape=shape, role=plain_role(tensor.role.removeprefix("in_proj_")))


def _whole_to_part(
    whole: Leaf, part: Tensor, target: Leaf, wanted: Tensor, joiner: Joiner
) -> Transform | None:
    if is_stack(whole):
        return _between_stacks(whole, part, target, wanted)
    return joiner.transform(_as_dense(whole), target.layer, _part_of_dense(whole, part), wanted)


def _between_stacks(source: Leaf, given: Tensor, target: Leaf, wanted: Tensor) -> Transform | None:
    """The same experts, their matrices turned where the sides differ; None where the shapes do not fit."""
    is_turned = lies_turned(source) != lies_turned(target)
    if not is_turned:
        return ("", {}) if given.shape == wanted.shape else None
    experts, *matrix = given.shape
    return ("e a b -> e b a", {}) if (experts, *reversed(matrix)) == wanted.shape else None


def _as_dense(leaf: Leaf) -> Layer:
    """The layer as a dense one of its framework, for the rules: an attention module's in_proj is a Linear."""
    if leaf.layer.op == "Dense":
        return leaf.layer
    return replace(leaf.layer, op="Dense", attributes={**leaf.layer.attributes, "transposed": True})


def _part_of_dense(leaf: Leaf, part: Tensor) -> Tensor:
    """A part of a fused tensor as one of that dense layer."""
    is_matrix = leaf.layer.op != "Dense" and len(part.shape) == 2
    return replace(part, axes=MATRICES[True]) if is_matrix else part


def _by_head(cut: Transform, given: Tensor, place: int, parts: int, target: Leaf) -> Transform:
    """The same part where every head has its own rows of each: the rows are gathered before they are cut.

    The target's tensors by head tell how many heads there are; where it has none, the rows lie part by part.
    """
    by_head = next((tensor.shape for _, tensor in target.tensors if len(tensor.shape) == 3), None)
    if by_head is None or given.shape[0] % parts:
        return cut
    heads = by_head[1]
    width = given.shape[0] // (parts * heads)
    tail = " i" if len(given.shape) == 2 else ""
    lengths = {"a": heads, "b": parts, "c": width}
    return "slice", {**cut[1], "before": f"(a b c){tail} -> (b a c){tail}", **lengths}


def _joined(given: Sequence[Use], wanted: Use, joiner: Joiner) -> Iterator[Match]:
    """Parts into one fused matrix, in the order of its name."""
    lengths = _lengths(wanted.leaf, given)
    for role, tensor in wanted.leaf.tensors:
        axis = _axis_of(tensor, wanted.leaf)
        names, parts = [], []
        for use, length in zip(given, lengths, strict=True):
            source = _part_of(use.leaf, role.removeprefix("in_proj_"))
            part = _with_length(tensor, axis, length)
            transform = _part_to_whole(use.leaf, source, wanted.leaf, part, joiner)
            if source and transform:
                names.append(source.name)
                parts.append({"pattern": transform[0], **transform[1]})
        if len(parts) == len(given):
            parameters = {"axis": axis, "parts": parts}
            yield Match(tensor.name, tuple(names), "fuse", parameters, False, BY_WORDS, EVIDENCE)


def _part_to_whole(
    given: Leaf, source: Tensor | None, whole: Leaf, part: Tensor, joiner: Joiner
) -> Transform | None:
    if source is None:
        return None
    if is_stack(whole):
        return _between_stacks(given, source, whole, part)
    return joiner.transform(given.layer, _as_dense(whole), source, _part_of_dense(whole, part))
