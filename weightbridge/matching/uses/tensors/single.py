"""One leaf into one, tensor by tensor: `q_proj.weight` -> `query/kernel`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from weightbridge.matching.confidence import BY_WORDS, CERTAIN, DOUBTFUL
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.units.flattening import turns_map
from weightbridge.matching.units.units import plain_role
from weightbridge.matching.uses.leaf_pairs import LeafPair
from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.tensors.expert_lists import into_experts, listed_experts
from weightbridge.matching.uses.tensors.reshaping import is_table, reshaped
from weightbridge.matching.uses.tensors.stacks import Transform, crosses, is_stack
from weightbridge.matching.values import Match
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import as_operation
from weightbridge.model.tensors import Tensor

TABLES = frozenset({"Embedding", "Opaque"})  # what a matrix is taken for where no module tells
Joined = tuple[Tensor, Tensor, Transform | None]  # source, target, and how one becomes the other
ALIASES: Mapping[str, str] = {"embeddings": "kernel", "kernel": "embeddings"}


def single_matches(
    source: Use, target: Use, pair: LeafPair, rivals: Sequence[Use], joiner: Joiner
) -> Iterator[Match]:
    """A match for every target tensor that an exact transform of the source's gives."""
    if target.members:
        yield from _expert_matches(source, target, pair, joiner)
        return
    for role, given, wanted in _counterparts(source.leaf, target.leaf):
        transform = _transform(source, target, given, wanted, joiner)
        if transform is None:
            continue
        names = tuple(_name_in(member, given, source.leaf) for member in source.members) or (given.name,)
        others = (_counterpart(rival.leaf, role, len(target.leaf.tensors)) for rival in rivals)
        runners_up = tuple(other.name for other in others if other is not None)
        confidence = min(pair.confidence, _highest_confidence(source, target, given, transform[0], joiner))
        yield Match(wanted.name, names, *transform, False, confidence, pair.evidence, runners_up)


def _expert_matches(source: Use, target: Use, pair: LeafPair, joiner: Joiner) -> Iterator[Match]:
    """A stack into experts one by one, or one list of experts into another."""
    joined = _from_list(source, target, joiner) if source.members else _from_stack(source.leaf, target)
    for given, wanted, transform in joined:
        if transform is not None:
            yield Match(wanted.name, (given.name,), *transform, False, pair.confidence, pair.evidence)


def _from_list(source: Use, target: Use, joiner: Joiner) -> Iterator[Joined]:
    for given_expert, expert in zip(source.members, target.members, strict=True):
        for _, given, wanted in _counterparts(given_expert, expert):
            yield given, wanted, joiner.transform(given_expert.layer, expert.layer, given, wanted)


def _from_stack(stack: Leaf, target: Use) -> Iterator[Joined]:
    for place, expert in enumerate(target.members):
        for _, given, wanted in _counterparts(stack, expert):
            yield given, wanted, into_experts(given, wanted, (place, target.parts))


def _counterparts(source: Leaf, target: Leaf) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(role, source tensor, target tensor) for each tensor of the target that has a counterpart."""
    for role, wanted in target.tensors:
        given = _counterpart(source, role, len(target.tensors))
        if given is not None:
            yield role, given, wanted


def _counterpart(source: Leaf, role: str, wanted: int) -> Tensor | None:
    """The source's tensor of this role, or its only one where one of one is `wanted`."""
    by_role = {plain_role(own_role): tensor for own_role, tensor in source.tensors}
    same = by_role.get(plain_role(role))
    if same is not None:
        return same
    if wanted == len(by_role) == 1:
        return next(iter(by_role.values()))
    return by_role.get(ALIASES.get(role, ""))


def _transform(source: Use, target: Use, given: Tensor, wanted: Tensor, joiner: Joiner) -> Transform | None:
    """How one tensor becomes the other; None where no exact transform does it."""
    if source.members:
        return listed_experts(source, given, wanted, joiner)
    if source.leaf.unit.part:
        return joiner.of_part(source.leaf.unit, target.leaf.unit, wanted.role, given, wanted)
    source_op, target_op = _one_operation(source.leaf.layer.op, target.leaf.layer.op, given, wanted)
    source_layer, read = _read_as(joiner.source, source.leaf.layer, given, source_op)
    target_layer, filled = _read_as(joiner.target, target.leaf.layer, wanted, target_op)
    transform = joiner.transform(source_layer, target_layer, read, filled)
    return transform if transform is not None else reshaped(source, target, given, filled)


def _one_operation(source: str, target: str, given: Tensor, wanted: Tensor) -> tuple[str, str]:
    """One operation for both, where one side's is a guess.

    Neither a state dict nor a custom layer says what convolves.
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
    """The layer and its tensor as those of another operation."""
    if layer.op == op:
        return layer, tensor
    as_kernel = replace(tensor, role="kernel") if tensor.role == "depthwise_kernel" else tensor
    return as_operation(graph.framework, layer, as_kernel, op)


def _name_in(member: Leaf, given: Tensor, first: Leaf) -> str:
    """The name of the member's tensor that has the role which `given` has in the first member."""
    role = next(role for role, tensor in first.tensors if tensor.name == given.name)
    return dict(member.tensors)[role].name


def _highest_confidence(source: Use, target: Use, given: Tensor, transform: str, joiner: Joiner) -> float:
    """No state dict says how it flattens, nor which axis of a square matrix is the outputs."""
    is_guess = not {source.leaf.layer.op, target.leaf.layer.op}.isdisjoint(TABLES)
    if is_guess and _is_square(given) and not joiner.has_one_layout and not is_table(target):
        is_known = is_stack(target.leaf) and crosses(source.leaf, target.leaf) is not None
        return BY_WORDS if is_known else DOUBTFUL
    return BY_WORDS if turns_map(transform) else CERTAIN


def _is_square(tensor: Tensor) -> bool:
    return len(tensor.shape) > 1 and tensor.shape[-1] == tensor.shape[-2] > 1
