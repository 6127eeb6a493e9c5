"""The one entrance: which way of adapting two models is right, and its proposal."""

from weightbridge.adapters.same_kind import propose_same_kind
from weightbridge.adapters.setting import Setting
from weightbridge.adapters.values import Proposal
from weightbridge.graph import LayerGraph
from weightbridge.matching.values import Matching


def propose(source: LayerGraph, target: LayerGraph, matching: Matching, open_targets: frozenset[str]) -> Proposal:
    """Steps for target tensors without an exact match, and for exact matches whose channel group changes. Reads no values.

    Without data flow on the target's side nothing is proposed: which axes belong together would be a guess.
    """
    if not target.has_flow or not open_targets:
        return Proposal()
    return propose_same_kind(Setting(source, target, matching, open_targets))
