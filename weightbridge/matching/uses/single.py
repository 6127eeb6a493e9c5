"""One leaf into one: tensor by tensor, also where it is part of a layer, a stack of experts, or a table with
an offset.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.matching.confidence import BY_WORDS, CERTAIN, DOUBTFUL
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.units.units import plain_role
from weightbridge.matching.uses.leaf_pairs import LeafPair
from weightbridge.matching.uses.leaf_uses import Role
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.stacks import crosses, is_stack
from weightbridge.matching.values import Match
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import as_operation, is_taken_as_turned, is_turned
from weightbridge.model.tensors import Tensor

OFFSET = 2  # rows before the first position in tables of the fairseq family: padding index + 1
TABLES = frozenset({"Embedding", "Opaque"})  # what a matrix is taken for where no module tells
Found = tuple[str, dict[str, Any]]


def single_matches(
    source: Role, target: Role, pair: LeafPair, rivals: Sequence[Role], joiner: Joiner
) -> Iterator[Match]:
    """A match for every target tensor that an exact transform of the source's gives."""
    if target.members:
        yield from _into_list(source, target, pair, joiner)
        return
    for role, wanted in target.leaf.tensors:
        given = _counterpart(source.leaf, role, len(target.leaf.tensors))
        if given is None:
            continue
        found = (
            _stacked(source, given, wanted, target.leaf, joiner)
            if source.members
            else _one(source, target, given, wanted, joiner)
        )
        names = tuple(_named(m, given, source.leaf) for m in source.members) or (given.name,)
        others = tuple(n for rival in rivals for n in _rival(rival, role))
        if found is not None:
            sure = min(pair.confidence, _surest(source, target, given, found[0], joiner))
            yield Match(wanted.name, names, *found, False, sure, pair.evidence, others)


def _surest(source: Role, target: Role, given: Tensor, transform: str, joiner: Joiner) -> float:
    """No state dict says how it flattens, nor which axis of a square matrix without a module is the outputs."""
    is_told = joiner.has_one_layout or _is_table_of(target)
    if not is_told and _is_square(given) and {source.leaf.layer.op, target.leaf.layer.op} & TABLES:
        return (
            DOUBTFUL if crosses(source.leaf, target.leaf) is None or not is_stack(target.leaf) else BY_WORDS
        )
    return BY_WORDS if "(c " in transform else CERTAIN


def _counterpart(source: Leaf, role: str, wanted: int) -> Tensor | None:
    roles = {plain_role(r): t for r, t in source.tensors}
    same = roles.get(plain_role(role))
    return (
        same
        if same is not None
        else next(iter(roles.values()))
        if wanted == 1 == len(roles)
        else _alias(roles, role)
    )


def _alias(roles: dict[str, Tensor], role: str) -> Tensor | None:
    return roles.get({"embeddings": "kernel", "kernel": "embeddings"}.get(role, ""))


def _one(source: Role, target: Role, given: Tensor, wanted: Tensor, joiner: Joiner) -> Found | None:
    if source.leaf.unit.part:
        return joiner.of_part(source.leaf.unit, target.leaf.unit, wanted.role, given, wanted)
    source_op, target_op = _one_operation(source.leaf.layer.op, target.leaf.layer.op, given, wanted)
    source_layer, read = _read_as(joiner.source, source.leaf.layer, given, source_op)
    target_layer, filled = _read_as(joiner.target, target.leaf.layer, wanted, target_op)
    found = joiner.transform(source_layer, target_layer, read, filled)
    return found if found is not None else reshaped(source, target, given, filled)


def _one_operation(source: str, target: str, given: Tensor, wanted: Tensor) -> tuple[str, str]:
    """One operation for both, where one side's is a guess: neither a state dict nor a custom layer says what
    convolves.
    """
    match source, target:
        case "Conv", "DepthwiseConv":
            return (target, target) if given.shape[1:2] == (1,) else (source, source)
        case "DepthwiseConv", "Conv" if given.shape[1:2] == wanted.shape[-2:-1]:
            return target, target
        case "Conv", "ConvTranspose":
            return target, target
        case _:
            return source, target


def _read_as(graph: LayerGraph, layer: Layer, tensor: Tensor, op: str) -> tuple[Layer, Tensor]:
    if layer.op == op:
        return layer, tensor
    as_kernel = replace(tensor, role="kernel") if tensor.role == "depthwise_kernel" else tensor
    return as_operation(graph.framework, layer, as_kernel, op)


def reshaped(source: Role, target: Role, given: Tensor, wanted: Tensor) -> Found | None:
    """Tables and vectors, whose axes mean the same everywhere; the head of a tied model; rows without the
    offset.
    """
    a, b = tuple(n for n in given.shape if n > 1), tuple(n for n in wanted.shape if n > 1)
    if is_stack(source.leaf) and is_stack(target.leaf) and crosses(source.leaf, target.leaf) is not False:
        return (
            ("e a b -> e b a", {})
            if given.shape[0] == wanted.shape[0] and given.size == wanted.size
            else None
        )
    if a == b == a[::-1] and len(a) == 2 and is_turned(given) and not _is_table_of(target):
        return "o i -> i o", {}  # a module's matrix into one that no module holds
    if a == b and (len(b) < 2 or _is_table(source, target, (given.role, wanted.role))):
        return "" if given.shape == wanted.shape else f"{_labels(given)} -> {_labels(wanted)}", {}
    if a == b and len(set(a)) == len(a) and "Opaque" in (source.leaf.layer.op, target.leaf.layer.op):
        return f"{_labels(given)} -> {_labels(wanted)}", {}  # lengths that differ tell the axes apart
    if target.function == "head" and len(a) == 2 and a == b[::-1]:
        return "o i -> i o", {}
    if target.function == "position_embedding" and a[1:] == b[1:] and a[0] - b[0] == OFFSET:
        return "slice", {"axis": len(given.shape) - 2, "start": OFFSET, "stop": a[0]}
    return None


def _is_square(tensor: Tensor) -> bool:
    return len(tensor.shape) > 1 and tensor.shape[-1] == tensor.shape[-2] > 1


def _is_table_of(role: Role) -> bool:
    return (
        "embedding" in role.function
        or role.leaf.layer.op == "Embedding"
        or "token" in role.function
        or "relative" in role.function
    )


def _is_table(source: Role, target: Role, roles: tuple[str, str]) -> bool:
    is_known = "relative_bias" in (source.function, target.function) or "embedding" in target.function
    return is_known or "embeddings" in roles or "Opaque" in (source.leaf.layer.op, target.leaf.layer.op)


def _labels(tensor: Tensor) -> str:
    """The axes of a tensor, those of length one as 1."""
    letters = iter("abcdefgh")
    return " ".join("1" if n == 1 else next(letters) for n in tensor.shape)


def _stacked(source: Role, given: Tensor, wanted: Tensor, target: Leaf, joiner: Joiner) -> Found | None:
    """Experts one by one into one tensor with them along its first axis."""
    if source.parts > 1 and (wanted.shape[-1] % source.parts or len(wanted.shape) != 3):
        return None
    one = replace(wanted, shape=(*wanted.shape[1:-1], wanted.shape[-1] // source.parts))
    found = _oriented(source.members[0].layer, given, one, target, joiner)
    return None if found is None else ("stack", {"pattern": found[0], "parts": source.parts, **found[1]})


def _oriented(layer: Any, given: Tensor, wanted: Tensor, target: Leaf, joiner: Joiner) -> Found | None:
    """torch's (out, in) into a plain matrix (in, out) of Keras; as it is between equals."""
    if joiner.has_one_layout:
        return ("", {}) if given.shape == wanted.shape else None
    turned = is_taken_as_turned(joiner.source, given)
    if len(given.shape) == 2 and turned and given.shape[::-1] == wanted.shape:
        return "o i -> i o", {}
    return ("", {}) if given.shape == wanted.shape and (len(given.shape) < 2 or not turned) else None


def _into_list(source: Role, target: Role, pair: LeafPair, joiner: Joiner) -> Iterator[Match]:
    """A stack into experts one by one, or one list of experts into another."""
    for index, member in enumerate(target.members):
        for role, wanted in member.tensors:
            given = _counterpart(
                source.members[index] if source.members else source.leaf, role, len(member.tensors)
            )
            if given is None:
                continue
            if source.members:
                found = joiner.transform(source.members[index].layer, member.layer, given, wanted)
            else:
                found = _selected(given, wanted, (index, target.parts), member, joiner)
            if found is not None:
                yield Match(wanted.name, (given.name,), *found, False, pair.confidence, pair.evidence)


def _selected(
    given: Tensor, wanted: Tensor, place: tuple[int, int], member: Leaf, joiner: Joiner
) -> Found | None:
    """One expert of a stack; one of `parts` equal runs of its columns, where gates and ups lie in one tensor."""
    index, parts = place
    if given.shape[-1] % parts:
        return None
    width = given.shape[-1] // parts
    shape = (*given.shape[1:-1], width)
    is_crossed = given.axes.endswith("i o") and is_turned(wanted)
    if len(shape) == 2 and is_crossed and shape[::-1] == wanted.shape:
        pattern = "i o -> o i"
    elif shape == wanted.shape:
        pattern = ""
    else:
        return None
    if parts == 1:
        return "select", {"index": index, "inner": pattern, "parameters": {}}
    start = index % parts * width
    cut = {"axis": len(shape) - 1, "start": start, "stop": start + width, "pattern": pattern}
    return "select", {"index": index // parts, "inner": "slice", "parameters": cut}


def _named(member: Leaf, given: Tensor, first: Leaf) -> str:
    """The tensor of this member that has the role which `given` has in the first."""
    role = next(r for r, t in first.tensors if t is given or t.name == given.name)
    return next(t.name for r, t in member.tensors if r == role)


def _rival(rival: Role, role: str) -> tuple[str, ...]:
    roles = {plain_role(r): t.name for r, t in rival.leaf.tensors}
    return (roles[plain_role(role)],) if plain_role(role) in roles else ()
