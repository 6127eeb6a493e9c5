"""The hand-set weights of matching by names.

What each kind of evidence counts, and which cases it decides.

Scores are compared with each other only, so their unit is free. `benchmarks/score_weights.py` measures which
tests fail where a weight is nothing: its result stands beside each. A weight that decides no test alone backs
another one up: `same_function` and `other_function` are the two ends of one difference.
"""

from weightbridge.boundary.records import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """What adds to the score of a pair (positive) and what takes from it (negative)."""

    # A source leaf and a target leaf. The first two together decide test_schemes_of_families, where Llama's
    # gates and ups meet Fairscale's, with and without square matrices.
    same_function: float = 4.0
    other_function: float = -4.0
    # One has a function, the other a name that says nothing, or one that no rule knows. No test alone.
    only_one_function: float = -0.3
    untold_function: float = -0.8
    # Times the share of telling words that both names have. Decides test_all_that_both_files_hold_arrives:
    # UltraFace between its .pth or ONNX file and TensorFlow's variables, in both directions.
    shared_words: float = 2.0
    # Encoder and decoder, text and vision. No test alone, as tracks are paired before.
    other_branch: float = -2.0
    # No test alone. The second is less than the margin: a vector without a telling name may be a norm's.
    as_many_tensors: float = 0.3
    same_kind: float = 0.15
    # No test, nor both together: words tell the towers of the suite too.
    same_tower: float = 1.0
    other_tower: float = -2.0
    # Times the squared distance of a number from a function's usual place. Decides
    # test_a_lone_scale_and_its_bias_follow_their_convolution_and_the_scale_comes_first.
    off_place: float = -0.1
    # Times the distance of the places in both files. Decides
    # test_equal_layers_under_a_counter_are_taken_as_it_counts_where_the_file_lists_them_otherwise and
    # test_numbers_go_before_words_where_the_kernels_come_so.
    off_rank: float = -1e-3
    # On top of every score, as any pair that fits counts more than none. No test alone.
    any_pair: float = 10.0
    # The lead over the next best that makes words an evidence. No test where it is nothing.
    margin: float = 0.2

    # A source block and a target block: the share of its parameters that a pair of unequal blocks explains,
    # and the least ratio of parameters of blocks that correspond. No test alone.
    rough_block: float = 0.5
    rough_size: float = 0.5

    # A source track and a target track: the likeness of their names (by branch, by words, in branches that
    # exclude each other), beside the share of parameters explained. Decides test_towers_keep_their_own_norms.
    track_name: float = 0.1
    track_branch: float = 0.5
    track_words: float = 0.5
    track_other_branch: float = -1.0


WEIGHTS = Weights()
