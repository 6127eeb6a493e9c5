"""Matching: which source tensors give each target tensor, by ordered evidence; ambiguity is reported, never
guessed.
"""

from weightbridge.matching.differences.older_activations import changed, with_older_activations
from weightbridge.matching.match import match
from weightbridge.matching.pairing.by_map import check_map
from weightbridge.matching.values import LayerPair, Match, Matching

__all__ = ["LayerPair", "Match", "Matching", "changed", "check_map", "match", "with_older_activations"]
