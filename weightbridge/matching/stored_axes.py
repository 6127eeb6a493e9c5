"""Tensors that an exporter keeps in another order of axes than their operation reads them in: rules speak of the operation's order."""

from weightbridge.axes import is_identity
from weightbridge.graph import Layer

SPACE = {1: "w", 2: "h w", 3: "d h w"}
SEEN = {"Conv": "o i", "ConvTranspose": "i o", "DepthwiseConv": "(c m) 1", "Embedding": "v e"}


def stored(layer: Layer, role: str) -> tuple[str, ...] | None:
    """The axes of a stored tensor where they differ from its operation's, () where they cannot be told, None where they are the same."""
    layouts = layer.attributes.get("layouts") or {}
    if role not in layouts or layer.op == "Dense":  # a dense layer says it by `transposed`
        return None
    labels = _groups(layouts[role])
    return labels if set(labels) <= {*seen(layer, len(labels)), "1"} else ()


def seen(layer: Layer, rank: int) -> tuple[str, ...]:
    """The axes that the operation itself reads, () for an operation without any to speak of."""
    named = _groups(SEEN.get(layer.op, ""))
    return (*named, *SPACE.get(rank - len(named), "").split()) if layer.op != "Embedding" else named


def seen_shape(labels: tuple[str, ...], wanted: tuple[str, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in the operation's order."""
    known = dict(zip(labels, shape, strict=True))
    return tuple(known.get(label, 1) for label in wanted)


def from_stored(pattern: str, labels: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """The pattern that starts from the stored order, "" where that already is the target's."""
    left, _, right = (pattern or f"{' '.join(wanted)} -> {' '.join(wanted)}").partition("->")
    named = dict(zip(wanted, _groups(left), strict=True))
    turned = f"{' '.join(named.get(label, '1') for label in labels)} -> {right.strip()}"
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
