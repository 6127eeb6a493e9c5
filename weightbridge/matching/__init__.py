"""Matching: which source tensors give each target tensor, by ordered evidence.

Ambiguity is reported, never guessed.
"""

from weightbridge.matching.differences.older_activations import changed, with_older_activations
from weightbridge.matching.differences.vocabularies import given_words
from weightbridge.matching.joining.tying import TIED_THERE
from weightbridge.matching.match import match
from weightbridge.matching.pairing.by_map import LISTED, check_map, names_of
from weightbridge.matching.values import LayerPair, Match, Matching

__all__ = [
    "LISTED",
    "TIED_THERE",
    "LayerPair",
    "Match",
    "Matching",
    "changed",
    "check_map",
    "given_words",
    "match",
    "names_of",
    "with_older_activations",
]
