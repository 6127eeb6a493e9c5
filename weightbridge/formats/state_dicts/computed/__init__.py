"""Weights that a state dict stores in parts: weight norm, LoRA, pruning masks, scaled integers."""

from weightbridge.formats.state_dicts.computed.compute import Computation, computed
from weightbridge.formats.state_dicts.computed.scales import Quantised

__all__ = ["Computation", "Quantised", "computed"]
