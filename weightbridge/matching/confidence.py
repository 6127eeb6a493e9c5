"""How sure a pair or match is, from 0 to 1: one number for each kind of evidence."""

CERTAIN = 1.0  # the user said it, or the names are equal and the shapes too
SAME_SURROUNDINGS = 0.99  # the same graph above and below
ONLY_FIT = 0.99  # no other tensor of either side fits
ONE_SIDED = 0.95  # the same graph above or below
IN_ORDER = 0.95  # the same place in two lists that agree
SAME_FUNCTION = 0.95  # the only one of its function by its name
# A mapping above CLAIMED is claimed. At it and below, the runners-up are named and a question is asked.
CLAIMED = 0.9
SAME_ATTRIBUTES = 0.9  # the same surroundings as others, told apart by what it computes
INSERTED = 0.9  # a neutral layer that the target has in addition
SYMMETRIC = 0.85  # others would fit as well, and order decided
BY_WORDS = 0.85  # the words of its name are ahead of those of all others
ASSUMED = 0.85  # rests on a value that the file does not hold
LOSSY = 0.8  # the values are adapted, and not exactly
MISLEADING = 0.8  # by a name that implementations use for another function too
DOUBTFUL = 0.5  # others would fit as well, and nothing speaks for this one but its place
CHOSEN = 0.3  # which layer takes from which is a choice, not a finding


def is_claimed(confidence: float) -> bool:
    """Whether a mapping this sure is claimed without naming what else would fit."""
    return confidence > CLAIMED
