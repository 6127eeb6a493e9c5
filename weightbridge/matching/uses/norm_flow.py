"""Which part of a block a norm without a telling name belongs to, where the data flow tells.

Before a part it feeds nothing else; behind one it follows the sum of the part and of what went past it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.uses.leaf_uses import Use

SUMS = frozenset({"Add"})
ATTENDING = frozenset({"query", "key", "value", "qkv"})
OUTPUT = "attention_output"
Functions = Mapping[str, str]  # of the units of a block, by name


def with_norms_by_flow(uses: Sequence[Use], side: Reduced) -> Sequence[Use]:
    """The uses; norms without a function have that of their place, where no two would have one."""
    known = {use.leaf.unit.name: use.function for use in uses if use.leaf.kind == "matrix"}
    told = [_told(use, known, side) for use in uses]
    norms = [function for use, function in zip(uses, told, strict=True) if use.leaf.kind == "norm"]
    if OUTPUT not in known.values() or max(Counter(norms).values(), default=0) > 1:
        return uses
    return [replace(use, function=function) for use, function in zip(uses, told, strict=True)]


def _told(use: Use, known: Functions, side: Reduced) -> str:
    if use.leaf.kind != "norm" or use.function or use.leaf.unit.name not in side.parents:
        return use.function
    name = use.leaf.unit.name
    before = _sum_before(side, name)
    if before is not None:
        return _of_sum(side, before, known)
    children = [side.by_name[child] for child in side.children[name]]
    return "" if any(not child.has_weights for child in children) else _of_part(side, children, known)


def _sum_before(side: Reduced, name: str) -> Unit | None:
    """The sum that the norm alone reads."""
    parents = side.parents[name]
    before = side.by_name.get(parents[0]) if len(parents) == 1 else None
    if before is None or before.family not in SUMS or before.has_weights:
        return None
    return before if side.children[before.name] == (name,) else None


def _of_sum(side: Reduced, total: Unit, known: Functions) -> str:
    """By the layer of the block that the sum adds to what went past it."""
    added = [name for name in side.parents[total.name] if name in known]
    if len(added) != 1:
        return ""
    if known[added[0]] != OUTPUT:
        return "norm_ffn"
    return "norm_cross" if _is_cross(side, added[0]) else "norm_attention"


def _is_cross(side: Reduced, output: str) -> bool:
    """Whether an attention's queries and keys come from two places."""
    fed = {side.parents.get(name, ()) for name in side.parents[output]}
    return len(fed) > 1


def _of_part(side: Reduced, children: Sequence[Unit], known: Functions) -> str:
    """By the layers of the block that it feeds."""
    if not children or any(child.name not in known for child in children):
        return ""
    attending = [child for child in children if known[child.name] in ATTENDING]
    if not attending:
        return "norm_ffn"
    outputs = {name for child in attending for name in side.children[child.name] if known.get(name) == OUTPUT}
    return "norm_cross" if any(_is_cross(side, name) for name in outputs) else "norm_attention"
