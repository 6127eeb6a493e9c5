"""Fused matrices (query-key-value, gate-up) that the other side keeps apart, and experts listed on one side
and stacked on the other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightbridge.matching.confidence import BY_WORDS, DOUBTFUL
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.units.units import plain_role
from weightbridge.matching.uses.leaf_uses import Role
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.stacks import is_stack, lies_turned
from weightbridge.matching.values import Match
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
)  # a matrix called `query_key_value` is laid out head by head in most families, others part by part


@dataclass(frozen=True, slots=True)
class Fusion:
    """Positions of the leaves on both sides: one source and several targets, or the other way round."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]

    def matches(self, source: Sequence[Role], target: Sequence[Role], joiner: Joiner) -> Iterator[Match]:
        given, wanted = [source[i] for i in self.sources], [target[j] for j in self.targets]
        yield from _split(given[0], wanted, joiner) if len(given) == 1 else _joined(given, wanted[0], joiner)


def fusions(source: Sequence[Role], target: Sequence[Role]) -> tuple[Fusion, ...]:
    """Every fused leaf of one side whose parts the other has, one of each function, and as many weights in
    all.
    """
    found = [Fusion((i,), parts) for i, parts in _fused(source, target)]
    return (*found, *(Fusion(parts, (j,)) for j, parts in _fused(target, source)))


def _fused(whole: Sequence[Role], apart: Sequence[Role]) -> Iterator[tuple[int, tuple[int, ...]]]:
    for i, role in enumerate(whole):
        named = [
            [j for j, other in enumerate(apart) if other.function == part]
            for part in PARTS.get(role.function, ())
        ]
        for places in (named, _numbered(role, apart)):
            if (
                places
                and all(len(p) == 1 for p in places)
                and sum(apart[p[0]].leaf.size for p in places) == role.leaf.size
            ):
                yield i, tuple(p[0] for p in places)
                break


def _numbered(whole: Role, apart: Sequence[Role]) -> list[list[int]]:
    """The first stacks of half its size whose number is all their name: gates come before ups."""
    found = [
        j
        for j, other in enumerate(apart)
        if whole.function == "gate_up" and is_stack(whole.leaf) and is_stack(other.leaf)
        if not other.function and other.inner[-1:] and other.inner[-1].isdigit()
        if 2 * other.leaf.size == whole.leaf.size
        and other.leaf.flow == _half(whole.leaf.flow, other.leaf.flow)
    ]
    return [[j] for j in found[:2]]


def _half(whole: tuple[int, int] | None, part: tuple[int, int] | None) -> tuple[int, int] | None:
    """(in, out) of one of two parts of a matrix; what the part says where the whole does not tell."""
    return part if whole is None else (whole[0], whole[1] // 2)


def _split(given: Role, wanted: Sequence[Role], joiner: Joiner) -> Iterator[Match]:
    starts = [0]
    rows = _rows(given.leaf, [w.leaf.size for w in wanted])
    for n in rows:
        starts.append(starts[-1] + n)
    by_head = given.inner[-3:] == BY_HEAD and len(set(rows)) == 1
    for n, role in enumerate(wanted):
        for name, tensor in role.leaf.tensors:
            part = _part_of(given.leaf, name)
            found = part and _cut(given.leaf, part, (starts[n], starts[n + 1]), role.leaf, tensor, joiner)
            if part and found and by_head:
                found = _by_head(found, part, n, len(wanted), role.leaf)
            if part and found:
                sure = DOUBTFUL if by_head else BY_WORDS
                yield Match(tensor.name, (part.name,), *found, False, sure, ("name", "fused"))


def _rows(whole: Leaf, sizes: Sequence[int]) -> list[int]:
    width = whole.size // whole.main.shape[_axis(whole)]
    return [size // width for size in sizes]


def _axis(whole: Leaf) -> int:
    """The axis of a fused matrix along which its parts lie: the outputs."""
    shape = whole.main.shape
    if is_stack(whole):
        return 1 if lies_turned(whole) is not False else len(shape) - 1
    is_first = len(shape) == 2 and whole.main.axes != MATRICES[False]
    return 0 if is_first else len(shape) - 1


def _part_of(whole: Leaf, role: str) -> Tensor | None:
    if is_stack(whole):
        return whole.main
    return next(
        (t for r, t in whole.tensors if plain_role(r.removeprefix("in_proj_")) == plain_role(role)), None
    )


def _cut(
    whole: Leaf, given: Tensor, rows: tuple[int, int], target: Leaf, wanted: Tensor, joiner: Joiner
) -> tuple[str, dict[str, Any]] | None:
    start, stop = rows
    axis = _axis(whole) if given is whole.main else len(given.shape) - 1
    shape = tuple(stop - start if n == axis else size for n, size in enumerate(given.shape))
    part = replace(given, shape=shape, role=_role(given))
    found = (
        _expert_part(whole, part, target, wanted)
        if is_stack(whole)
        else joiner.transform(_plain(whole), target.layer, _plain_part(whole, part), wanted)
    )
    if found is None:
        return None
    return "slice", {"axis": axis, "start": start, "stop": stop, "pattern": found[0], **found[1]}


def _expert_part(
    whole: Leaf, part: Tensor, target: Leaf, wanted: Tensor
) -> tuple[str, dict[str, Any]] | None:
    if part.shape == wanted.shape and lies_turned(whole) == lies_turned(target):
        return "", {}
    is_crossed = (part.shape[0], *part.shape[:0:-1]) == wanted.shape and lies_turned(whole) != lies_turned(
        target
    )
    return ("e a b -> e b a", {}) if is_crossed else None


def _role(tensor: Tensor) -> str:
    return plain_role(tensor.role.removeprefix("in_proj_"))


def _plain(leaf: Leaf) -> Any:
    """The layer as a dense one of its framework, for the rules: an attention module's in_proj is a Linear."""
    if leaf.layer.op == "Dense":
        return leaf.layer
    return replace(leaf.layer, op="Dense", attributes={**leaf.layer.attributes, "transposed": True})


def _plain_part(leaf: Leaf, part: Tensor) -> Tensor:
    """A part of a fused tensor as one of that dense layer."""
    is_matrix = leaf.layer.op != "Dense" and len(part.shape) == 2
    return replace(part, axes=MATRICES[True]) if is_matrix else part


def _by_head(
    found: tuple[str, dict[str, Any]], given: Tensor, n: int, parts: int, target: Leaf
) -> tuple[str, dict[str, Any]] | None:
    """The same part where every head has its own rows of each: the rows are gathered before they are cut."""
    heads = next((t.shape for r, t in target.tensors if len(t.shape) == 3), None)
    if heads is None or given.shape[0] % parts:
        return found
    count = heads[1]
    width = given.shape[0] // (parts * count)
    tail = " i" if len(given.shape) == 2 else ""
    lengths = {"a": count, "b": parts, "c": width}
    return "slice", {**found[1], "before": f"(a b c){tail} -> (b a c){tail}", **lengths}


def _joined(given: Sequence[Role], wanted: Role, joiner: Joiner) -> Iterator[Match]:
    """Parts into one fused matrix, in the order of its name."""
    rows = _rows(wanted.leaf, [g.leaf.size for g in given])
    for role, tensor in wanted.leaf.tensors:
        axis = _axis(wanted.leaf) if tensor is wanted.leaf.main else len(tensor.shape) - 1
        parts, names = [], []
        for one, n in zip(given, rows, strict=True):
            source = _part_of(one.leaf, role.removeprefix("in_proj_"))
            shape = tuple(n if i == axis else size for i, size in enumerate(tensor.shape))
            like = replace(tensor, shape=shape, role=_role(tensor))
            found = _into_part(one.leaf, source, wanted.leaf, like, joiner) if source else None
            if source is None or found is None:
                break
            parts.append({"pattern": found[0], **found[1]})
            names.append(source.name)
        if len(parts) == len(given):
            yield Match(
                tensor.name,
                tuple(names),
                "fuse",
                {"axis": axis, "parts": parts},
                False,
                BY_WORDS,
                ("name", "fused"),
            )


def _into_part(
    given: Leaf, source: Tensor, whole: Leaf, like: Tensor, joiner: Joiner
) -> tuple[str, dict[str, Any]] | None:
    return (
        _expert_part(given, source, whole, like)
        if is_stack(whole)
        else joiner.transform(given.layer, _plain(whole), source, _plain_part(whole, like))
    )


def stacked(roles: Sequence[Role], others: Sequence[Role]) -> list[Role]:
    """Leaves that differ in one number alone (experts 0, 1, 2, ...) as one, where the other side has as much
    in one tensor.
    """
    lone = Counter((o.leaf.size, o.leaf.main.shape[0]) for o in others if len(o.leaf.main.shape) == 3)
    if not lone:
        return list(roles)
    groups: dict[tuple[object, ...], list[Role]] = {}
    for role in roles:
        groups.setdefault(_template(role), []).append(role)
    found: list[Role] = []
    for members in _with_fused([sorted(members, key=_number) for members in groups.values()], lone):
        total = sum(m.leaf.size for m in members)
        parts = len({m.function for m in members})
        if len(members) > parts and (total, len(members) // parts) in lone:
            found.append(_stack(members, total, parts))
        else:
            found += members
    return found


def _with_fused(groups: Iterable[list[Role]], lone: Counter[tuple[int, int]]) -> Iterator[list[Role]]:
    """The groups; the gates and the ups of all experts as one, where the other side has them in one tensor
    and not apart.
    """
    by_function = {members[0].function: members for members in groups if len(members) > 1}
    gates, ups = by_function.get("gate", []), by_function.get("up", [])
    total = sum(m.leaf.size for m in (*gates, *ups))
    is_fused = (
        len(gates) == len(ups) > 1
        and (total, len(gates)) in lone
        and lone[total // 2, len(gates)] < len(("gate", "up"))
    )
    yield from (members for members in groups if not (is_fused and (members is gates or members is ups)))
    if is_fused:
        yield [one for pair in zip(gates, ups, strict=True) for one in pair]


def _template(role: Role) -> tuple[object, ...]:
    """Equal for leaves that differ in one number alone."""
    p = _place(role)
    if p is None:
        return (role.leaf.name,)
    return (role.inner[:p], role.inner[p + 1 :], tuple((r, t.shape) for r, t in role.leaf.tensors))


def _place(role: Role) -> int | None:
    """Where the number of an expert stands in the name; None where there is none."""
    places = [i for i, w in enumerate(role.inner[:-1]) if w.isdigit()]
    after = [i for i in places if i and role.inner[i - 1] == "expert"]
    return next(iter((after or places)[-1:]), None)


def _number(role: Role) -> int:
    """By which experts are stacked: files list them by name, by shard or as they were saved."""
    p = _place(role)
    return int(role.inner[p]) if p is not None else 0


def _stack(members: Sequence[Role], total: int, parts: int) -> Role:
    first = members[0]
    width = first.leaf.flow and (first.leaf.flow[0], first.leaf.flow[1] * parts)
    p = _place(first)
    inner = first.inner if p is None else (*first.inner[:p], *first.inner[p + 1 :])
    return Role(
        replace(first.leaf, size=total, flow=width),
        first.function if parts == 1 else "gate_up",
        inner,
        tuple(m.leaf for m in members),
        parts,
    )
