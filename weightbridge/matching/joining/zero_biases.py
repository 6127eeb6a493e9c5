"""Biases that exporters drop because they are all zero."""

from collections.abc import Iterable

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.context import Context
from weightbridge.matching.joining.folded_norms import constant_match
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.tensors import Tensor


def zero_biases(
    context: Context, missing: Iterable[tuple[LayerPair, Tensor]]
) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Biases of zero, where the paired layer of a file that is not Keras's own has none.

    Not where an unused vector could be the bias.
    """
    if context.source.graph.is_from_keras:
        return (), ()
    spare = _spare_sizes(context)
    dropped = [
        (pair, tensor)
        for pair, tensor in missing
        if tensor.role == "bias" and tensor.size not in spare and _is_known(context, pair)
    ]
    matches = tuple(constant_match(tensor, pair, 0.0) for pair, tensor in dropped)
    return matches, tuple(_said(pair, tensor) for pair, tensor in dropped)


def _spare_sizes(context: Context) -> frozenset[int]:
    open_units = (unit for unit in context.source.units if unit.name not in context.taken)
    return frozenset(tensor.size for unit in open_units for _, tensor in unit.tensors)


def _is_known(context: Context, pair: LayerPair) -> bool:
    return context.source.by_name[pair.source].layer.op != "Opaque"


def _said(pair: LayerPair, tensor: Tensor) -> Finding:
    message = (
        f"{tensor.name}: {pair.source} has no bias in the source, which is a bias of zero, "
        "so this one is filled with zeros"
    )
    return finding("WB306", message, source=pair.source, target=tensor.name)
