"""What a fit is worth: how far the target says what the source says, beside other starts.

Measured on inputs that nothing was fitted to. The controls get the same inputs: the target as it was, its
BatchNorm calibrated; the same with a head in closed form on the source's logits; and what cropping gives.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import sqrt

import numpy as np

from weightbridge.adapters.fit.cuts import Cut
from weightbridge.adapters.fit.goals import Pair
from weightbridge.adapters.fit.snapshot import Weights, restore
from weightbridge.adapters.fit.solve import r2
from weightbridge.adapters.fit.starts import calibrate, random_starts
from weightbridge.formats.flow import Flow, forward
from weightbridge.model.tensors import Array

FITTED, CROPPED = "fitted", "cropped"


@dataclass(frozen=True, slots=True)
class Exam:
    """Inputs to fit to and to judge on, what the source's last cut says of both, and labels of the latter."""

    x: Array
    judged_x: Array
    wanted: Array
    judged: Array
    labels: Array | None


@dataclass(frozen=True, slots=True)
class Arm:
    """One start of the target. agreement: with the source's classes; accuracy: with the labels."""

    name: str
    agreement: float
    logit_r2: float
    accuracy: float | None


def exam(source: Flow, last: Cut, x: Array, labels: Array | None) -> Exam:
    """Every tenth input judges, of few every fifth."""
    is_judge = np.arange(len(x)) % (10 if len(x) >= 200 else 5) == 4
    wanted = forward(source, x, last.before)
    known = None if labels is None else labels[is_judge]
    return Exam(x[~is_judge], x[is_judge], wanted[~is_judge], wanted[is_judge], known)


def arm(name: str, target: Flow, last: Cut, asked: Exam) -> Arm:
    """The target as it is now."""
    found = forward(target, asked.judged_x, last.before)
    width = found.shape[-1]
    classes, wanted = found.argmax(-1), asked.judged.argmax(-1)
    return Arm(
        name,
        round(float((classes == wanted).mean()), 4),
        round(r2(asked.judged.reshape(-1, width), found.reshape(-1, width)), 4),
        _accuracy(classes, asked.labels),
    )


def source_accuracy(asked: Exam) -> float | None:
    return _accuracy(asked.judged.argmax(-1), asked.labels)


def controls(
    target: Flow, pairs: Sequence[Pair], asked: Exam, fresh: Weights, cropped: Mapping[str, Array] | None
) -> tuple[Arm, ...]:
    """The target is changed. fresh: its weights as they were."""
    last = pairs[-1].target
    found = [
        arm(name, target, last, asked) for name in random_starts(target, pairs, asked.x, asked.wanted, fresh)
    ]
    if cropped:
        restore(target, fresh)
        target.fill(cropped)
        with suppress(FloatingPointError):  # of what is not cropped
            calibrate(target, pairs[-1], asked.x, asked.wanted)
            found.append(arm(CROPPED, target, last, asked))
    return tuple(found)


def is_better(fitted: Arm, other: Arm, count: int) -> bool:
    """By the share of classes that are right; where that is within its standard error, by the logits."""
    ours, theirs = _share(fitted), _share(other)
    error = sqrt(max(theirs * (1 - theirs), 1 / count) / count)
    return ours > theirs if abs(ours - theirs) > error else fitted.logit_r2 > other.logit_r2


def knows_more(source: float | None, other: Arm) -> bool:
    """Whether the source itself is right for more than a start without it; without labels nobody knows."""
    return source is None or other.accuracy is None or source > other.accuracy


def best_of(arms: Sequence[Arm]) -> Arm:
    return max(arms, key=lambda one: (_share(one), one.logit_r2))


def _share(one: Arm) -> float:
    """By the labels where there are any, else by what the source says."""
    return one.agreement if one.accuracy is None else one.accuracy


def _accuracy(classes: Array, labels: Array | None) -> float | None:
    if labels is None or classes.shape != labels.shape:
        return None
    return round(float((classes == labels).mean()), 4)
