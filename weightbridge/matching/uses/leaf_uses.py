"""What the leaves of a block are for: by the rules of names, and by what stands beside them."""

from collections.abc import Sequence

from weightbridge.boundary.records import dataclass
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.uses.blocks import Block, Words
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.rules.names import function_of

SWAPPED = frozenset({"gate", "up"})  # implementations call these two by each other's name
GENERIC = frozenset(  # words that many names have
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
NORM_OF = (  # what a block's part has -> what a norm in its scope is
    ("cross_query", "norm_cross"),
    ("query", "norm_attention"),
    ("qkv", "norm_attention"),
    ("down", "norm_ffn"),
)


@dataclass(frozen=True, slots=True)
class Use:
    """A leaf inside its block: its function (`query`), and the words that name it there.

    members: of a stack, the leaves that it is made of, in order.
    parts: how many members in a row are fused into one of the stack (gate and up of each expert).
    behind, ahead: of a norm with data flow, the words inside the block of the layer that feeds it alone, and
    of the one that it alone feeds.
    towers: of what belongs to no block, the paired runs of blocks that it stands beside.
    """

    leaf: Leaf
    function: str
    inner: Words
    members: tuple[Leaf, ...] = ()
    parts: int = 1
    behind: Words = ()
    ahead: Words = ()
    towers: frozenset[int] = frozenset()


def uses_of(block: Block) -> tuple[Use, ...]:
    """The leaves of a block with their functions: `layers.0.mlp.fc1` -> up."""
    by_name = [_function_by_name(leaf) for leaf in block.leaves]
    functions = [function or _function_beside(block, i, by_name) for i, function in enumerate(by_name)]
    functions = _settled(block, functions)
    leaves = zip(block.leaves, functions, block.inner, strict=True)
    return tuple(Use(leaf, function, inner) for leaf, function, inner in leaves)


def _function_by_name(leaf: Leaf) -> str:
    return "" if _is_counted(leaf) else function_of(leaf.words, leaf.kind)


def _is_counted(leaf: Leaf) -> bool:
    """A name that is a framework's counter and no more (`dense_1`): its number is no place in a block."""
    has_scope = "/" in leaf.name or "." in leaf.name
    if has_scope or leaf.words[-1:] == leaf.words[:1]:
        return False
    return leaf.words[-1].isdigit() and is_automatic(leaf.name)


def _function_beside(block: Block, i: int, functions: Sequence[str]) -> str:
    """The function of a leaf without a telling name, by those in its scope; "" for none."""
    leaf = block.leaves[i]
    if leaf.kind == "vector":
        return _vector_function(block, leaf, functions)
    if leaf.kind == "norm":
        return _norm_function(block, block.inner[i], functions)
    return ""


def _vector_function(block: Block, leaf: Leaf, functions: Sequence[str]) -> str:
    """A lone vector of the layer that embeds patches is the class token."""
    scope = leaf.words
    for inside, function in zip(block.leaves, functions, strict=True):
        if function == "patch_embedding" and inside.words[: len(scope)] == scope:
            return "class_token"
    return ""


def _norm_function(block: Block, name: Words, functions: Sequence[str]) -> str:
    """A norm belongs to the part of the block whose scope it shares (T5's `layer.0.layer_norm`)."""
    scope = name[:-1]
    while scope and scope[-1] in GENERIC:
        scope = scope[:-1]
    if not scope:
        return ""
    inside = zip(block.inner, functions, strict=True)
    beside = {function for inner, function in inside if inner[: len(scope)] == scope}
    return next((norm for function, norm in NORM_OF if function in beside), "")


def _settled(block: Block, functions: Sequence[str]) -> list[str]:
    """With what only the others can tell: which norm is meant, and whether anything is gated."""
    settled = list(functions)
    has_experts = any("expert" in leaf.words for leaf in block.leaves)
    if not has_experts:  # `mlp.gate` where there is nothing to choose
        settled = _renamed(settled, "router", "gate")
    if "up" not in settled and settled.count("gate") == 1:  # `w1` and `w2` alone: nothing is gated
        settled = _renamed(settled, "gate", "up")
    is_before_ffn = "norm_ffn" not in settled
    return _renamed(settled, "norm_after_attention", "norm_ffn" if is_before_ffn else "norm_attention_behind")


def _renamed(functions: Sequence[str], name: str, meant: str) -> list[str]:
    return [meant if function == name else function for function in functions]
