"""Norms whose owners are paired, where one side's file keeps no data flow."""

from weightbridge.matching.context import Context
from weightbridge.matching.pairing.norm_owners import listed_norm_owners
from weightbridge.matching.values import LayerPair

EVIDENCE = ("structure", "shape")


def by_norm_owner(context: Context) -> tuple[LayerPair, ...]:
    """One pair for each listed norm that has a counterpart, no surer than the pair of their owners."""
    listed_is_target = context.source.graph.has_flow
    pairs = context.pairs.values()
    confidences = {(p.target if listed_is_target else p.source): p.confidence for p in pairs}
    norm_pairs = []
    for norm, owner in listed_norm_owners(context).items():
        if not owner.counterpart:
            continue
        ends = (owner.counterpart, norm) if listed_is_target else (norm, owner.counterpart)
        confidence = min(owner.confidence, confidences.get(owner.layer, owner.confidence))
        norm_pairs.append(LayerPair(*ends, confidence, EVIDENCE))
    return tuple(norm_pairs)
