"""Attention: two products with a softmax between them are one unit that is fed by query, key and value, as in
Keras's own layer.
"""

from collections.abc import Iterator
from itertools import repeat

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import AFFINE, COPIES, PRODUCTS

BETWEEN = (
    COPIES
    | AFFINE
    | {
        "Activation",
        "Add",
        "Dropout",
        "Multiply",
        "Opaque",
        "Permute",
        "Rescaling",
        "Reshape",
        "Subtract",
    }
)
STEPS = 12  # layers that may stand between the two products: scale, mask, softmax, dropout


def first_product(graph: LayerGraph, name: str) -> tuple[str, int] | None:
    """The product of query and key behind this second one, and which input of the second it is.

    None where no softmax stands between.
    """
    if graph.by_name[name].op not in PRODUCTS or len(graph.parents[name]) != 2:
        return None
    found = ((next(_products(graph, parent), ""), place) for place, parent in enumerate(graph.parents[name]))
    return next((f for f in found if f[0]), None)


def _products(graph: LayerGraph, name: str) -> Iterator[str]:
    """Up from a value, through layers without weights, to the products behind a softmax."""
    waiting, seen = [(name, False)], set[str]()
    while waiting and len(seen) < STEPS:
        here, is_soft = waiting.pop(0)
        layer = graph.by_name[here]
        if layer.op in PRODUCTS and is_soft:
            yield here
        if here not in seen and layer.op in BETWEEN:
            softness = is_soft or _is_softmax(layer)
            waiting += zip(graph.parents[here], repeat(softness))
        seen.add(here)


def _is_softmax(layer: Layer) -> bool:
    activation = layer.attributes.get("activation")
    name = activation[0] if isinstance(activation, tuple) else activation
    return layer.op == "Activation" and name == "softmax"
