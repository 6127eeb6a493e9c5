"""What the leaves of a block are for: by the rules of names, and by what stands beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.uses.blocks import Block, Words
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.rules.names import function_of

SWAPPED = frozenset({"gate", "up"})  # implementations call these two by each other's name
GENERIC = frozenset(
    {
        "layer",
        "norm",
        "dense",
        "linear",
        "projection",
        "conv",
        "batch",
        "weight",
        "module",
        "model",
        "block",
        "kernel",
    }
)


@dataclass(frozen=True, slots=True)
class Use:
    """A leaf inside its block: what it is for, and the words that name it there."""

    leaf: Leaf
    function: str
    inner: Words
    members: tuple[Leaf, ...] = ()  # of a stack: the leaves that it is made of, in order
    parts: int = 1  # how many members in a row are fused into one of the stack (gate and up of each expert)
    behind: Words = ()  # of a norm, where data flow is known: the words inside the block of the layer that feeds it alone
    ahead: Words = ()  # the same of the layer that it alone feeds
    towers: frozenset[int] = (
        frozenset()
    )  # of what belongs to no block: the paired runs of blocks that it stands beside


def uses_of(block: Block) -> tuple[Use, ...]:
    """The leaves of a block with their functions; what only the others can tell (which norm is meant) is
    settled.
    """
    found = ["" if _is_counted(leaf) else function_of(leaf.words, leaf.kind) for leaf in block.leaves]
    found = [f or _beside(block, i, found) for i, f in enumerate(found)]
    if "router" in found and not any(
        "expert" in leaf.words for leaf in block.leaves
    ):  # `mlp.gate` where there is nothing to choose
        found = ["gate" if f == "router" else f for f in found]
    if "up" not in found and found.count("gate") == 1:  # `w1` and `w2` alone: nothing is gated
        found = ["up" if f == "gate" else f for f in found]
    if "norm_after_attention" in found:
        behind = "norm_attention_behind" if "norm_ffn" in found else "norm_ffn"
        found = [behind if f == "norm_after_attention" else f for f in found]
    return tuple(Use(leaf, f, inner) for leaf, f, inner in zip(block.leaves, found, block.inner, strict=True))


def _is_counted(leaf: Leaf) -> bool:
    """A name that is a framework's counter and no more (`dense_1`): its number is no place in a feed-forward
    layer.
    """
    return (
        not {"/", "."}.intersection(leaf.name)
        and leaf.words[-1:] != leaf.words[:1]
        and leaf.words[-1].isdigit()
        and is_automatic(leaf.name)
    )


def _beside(block: Block, i: int, functions: Sequence[str]) -> str:
    """A norm without a telling name belongs to the part of the block whose scope it shares (T5's
    `layer.0.layer_norm`).

    A lone vector of the layer that embeds patches is the class token.
    """
    leaf = block.leaves[i]
    if leaf.kind == "vector":
        within = {
            f
            for other, f in zip(block.leaves, functions, strict=True)
            if other.words[: len(leaf.words)] == leaf.words
        }
        return "class_token" if "patch_embedding" in within else ""
    scope = block.inner[i][:-1]
    while scope and scope[-1] in GENERIC:
        scope = scope[:-1]
    if leaf.kind != "norm" or not scope:
        return ""
    beside = {
        f for inner, f in zip(block.inner, functions, strict=True) if inner[: len(scope)] == scope and f
    }
    for function, meant in (
        ("cross_query", "norm_cross"),
        ("query", "norm_attention"),
        ("qkv", "norm_attention"),
        ("down", "norm_ffn"),
    ):
        if function in beside:
            return meant
    return ""
