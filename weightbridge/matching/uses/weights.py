"""The hand-set weights of matching by names: what each kind of evidence counts, and what it decides.

Scores are compared with each other only, so their unit is free. `benchmarks/score_weights.py` measures which
tests of the suite each weight decides.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """What adds to the score of a pair (positive) and what takes from it (negative)."""

    # A source leaf and a target leaf.
    same_function: float = 4.0
    other_function: float = -4.0
    only_one_function: float = -0.3
    untold_function: float = -0.8  # one has a function, the other a telling name that no rule knows
    shared_words: float = 2.0  # times the share of telling words that both names have
    other_branch: float = -2.0  # encoder and decoder, text and vision
    as_many_tensors: float = 0.3
    same_kind: float = 0.15
    same_tower: float = 1.0
    other_tower: float = -2.0
    off_place: float = -0.1  # times the squared distance of a number from a function's usual place
    off_rank: float = -1e-3  # times the distance of the places in both files
    any_pair: float = 10.0
    margin: float = 0.2  # the lead over the next best that makes words an evidence

    # A source block and a target block; a source track and a target track.
    rough_block: float = 0.5  # the share of its parameters that a pair of unequal blocks explains
    rough_size: float = 0.5  # the least ratio of parameters of blocks that correspond
    track_name: float = 0.1  # the likeness of two tracks' names beside the share of parameters explained
    track_branch: float = 0.5
    track_words: float = 0.5
    track_other_branch: float = -1.0


WEIGHTS = Weights()
