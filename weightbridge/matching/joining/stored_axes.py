"""Tensors that an exporter keeps in another order of axes than their operation reads them in: rules speak of
the operation's order.
"""

from dataclasses import replace
from math import prod

from weightbridge.model.axes import is_identity
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

SPACE = {1: "w", 2: "h w", 3: "d h w"}
SEEN = {"Conv": "o i", "ConvTranspose": "i o", "DepthwiseConv": "(c m) 1", "Embedding": "v e"}


def stored(layer: Layer, role: str) -> tuple[str, ...] | None:
    """The axes of a stored tensor where they differ from its operation's, () where they cannot be told, None
    where they are the same.
    """
    layouts = layer.attributes.get("layouts") or {}
    if role not in layouts or layer.op == "Dense":  # a dense layer says it by `transposed`
        return None
    labels = _groups(layouts[role])
    known = seen(layer, len(labels))
    return labels if set(labels) <= {*known, *(name for label in known for name in inner(label)), "1"} else ()


def seen(layer: Layer, rank: int) -> tuple[str, ...]:
    """The axes that the operation itself reads, () for an operation without any to speak of."""
    named = _groups(SEEN.get(layer.op, ""))
    return (*named, *SPACE.get(rank - len(named), "").split()) if layer.op != "Embedding" else named


def seen_shape(labels: tuple[str, ...], wanted: tuple[str, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in the operation's order."""
    known = dict(zip(labels, shape, strict=True))
    return tuple(known.get(label, prod(known.get(name, 1) for name in inner(label))) for label in wanted)


def inner(label: str) -> list[str]:
    """The names of an axis that is several in one."""
    return label.strip("()").split() if label.startswith("(") else []


def as_seen(layer: Layer, tensor: Tensor) -> tuple[int, ...]:
    """A tensor's shape in its operation's order, as it is stored where that cannot be told."""
    labels = stored(layer, tensor.role)
    return seen_shape(labels, seen(layer, len(tensor.shape)), tensor.shape) if labels else tensor.shape


def as_grouped(layer: Layer) -> Layer:
    """A convolution by channel as one with groups of one channel: its channels are the output's, and the axis
    of length one the input's.
    """
    layouts = {
        role: axes.replace("(c m)", "o").replace("1", "i", 1)
        for role, axes in (layer.attributes.get("layouts") or {}).items()
    }
    return replace(layer, op="Conv", attributes={**layer.attributes, "layouts": layouts})


def from_stored(pattern: str, labels: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """The pattern that starts from the stored order, "" where that already is the target's."""
    left, _, right = (pattern or f"{' '.join(wanted)} -> {' '.join(wanted)}").partition("->")
    named = dict(zip(wanted, _groups(left), strict=True))
    for label, group in tuple(named.items()):
        named.update(zip(inner(label), inner(group), strict=False))
    kept = [named.get(label, "1") for label in labels]
    lost = set(right.split()) - set(
        " ".join(kept).replace("(", "").replace(")", "").split()
    )  # an axis of length one that lost its name
    turned = (
        f"{' '.join(kept)} -> {' '.join('1' if n in lost and n.isidentifier() else n for n in right.split())}"
    )
    return "" if is_identity(turned) else turned


def _groups(text: str) -> tuple[str, ...]:
    """`(c m) 1 h w` by dimension."""
    found: list[str] = []
    for part in text.replace("(", " ( ").replace(")", " ) ").split():
        if part == ")":
            at = found.index("(")
            found[at:] = [f"({' '.join(found[at + 1 :])})"]
        else:
            found.append(part)
    return tuple(found)
