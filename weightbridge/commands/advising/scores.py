"""How much features tell of labels, without training: LogME, the regularised H-score, a ridge probe.

LogME: You et al. 2021 (arXiv 2102.11005). H-score with a shrunk covariance: Ibrahim et al. 2021
(arXiv 2110.06893), shrunk as by Ledoit and Wolf 2004. All are higher where features tell more; LogME and
H-score are to be compared between cuts of one model on the same inputs alone.
"""

from dataclasses import dataclass

import numpy as np

from weightbridge.model.tensors import Array

FOLDS, SEED, ROUNDS = 5, 0, 100
STRENGTHS = tuple(10.0**n for n in range(-4, 5))
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Probe:
    """A ridge regression on held-out folds: R2 of its predictions; the share of right classes by fold."""

    r2: float
    accuracies: tuple[float, ...]


def logme(features: Array, targets: Array) -> float:
    """The log evidence of a linear model for each target, by input, on average over targets.

    features: (inputs, numbers); targets: (inputs, outputs), for classes one-hot.
    """
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    squares = singular**2
    return float(np.mean([_evidence(squares, left.T @ y, y, features.shape[1]) for y in targets.T]))


def _evidence(squares: Array, seen: Array, target: Array, width: int) -> float:
    """Maximised over the precisions of weights (alpha) and noise (beta) by their fixed point."""
    count, seen2 = len(target), seen**2
    unseen = max(float(target @ target - seen2.sum()), 0.0)
    alpha = beta = 1.0
    weights = errors = 0.0
    for _ in range(ROUNDS):
        ratio = alpha / beta
        effective = float((squares / (squares + ratio)).sum())
        weights = float((squares * seen2 / (squares + ratio) ** 2).sum())
        errors = float((seen2 * (ratio / (squares + ratio)) ** 2).sum()) + unseen
        alpha, beta = effective / (weights + TINY), (count - effective) / (errors + TINY)
        if abs(alpha / beta - ratio) <= 1e-3 * ratio:
            break
    spread = float(np.log(alpha + beta * squares).sum()) + (width - len(squares)) * np.log(alpha)
    total = width * np.log(alpha) + count * np.log(beta) - spread - count * np.log(2 * np.pi)
    return float((total - beta * errors - alpha * weights) / (2 * count))


def h_score(features: Array, classes: Array) -> float:
    """The trace of the shrunk covariance's inverse times the covariance of the classes' means."""
    centred = features - features.mean(axis=0)
    count, width = centred.shape
    covariance = centred.T @ centred / count
    shrinkage = _shrinkage(centred, covariance)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / width * np.eye(width)
    means = np.stack([centred[classes == c].mean(axis=0) for c in np.unique(classes)])
    shares = np.array([(classes == c).mean() for c in np.unique(classes)])
    between = (means * shares[:, None]).T @ means
    shrunk[np.diag_indices(width)] += TINY + 1e-10 * np.trace(covariance) / width
    return float((1 - shrinkage) * np.trace(np.linalg.solve(shrunk, between)))


def _shrinkage(centred: Array, covariance: Array) -> float:
    """Of the sample covariance towards a multiple of the identity, 0 to 1."""
    count, width = centred.shape
    mean = np.trace(covariance) / width
    distance = float(np.square(covariance).sum() - width * mean**2)
    fourth = float((np.square(centred).sum(axis=1) ** 2).sum())
    noise = (fourth / count - float(np.square(covariance).sum())) / count
    return float(np.clip(noise / distance, 0.0, 1.0)) if distance > TINY else 1.0


def ridge_probe(features: Array, targets: Array, classes: Array | None) -> Probe:
    """Cross-validated over stratified folds; each one's penalty by leaving one of the others out."""
    order = _folds(classes, len(features))
    guesses = np.zeros_like(targets)
    for fold in range(FOLDS):
        held = order == fold
        guesses[held] = _predicted(features[~held], targets[~held], features[held])
    error = float(np.square(targets - guesses).sum())
    total = float(np.square(targets - targets.mean(axis=0)).sum())
    right = guesses.argmax(axis=1) == classes if classes is not None else np.zeros(0)
    accuracies = tuple(float(right[order == fold].mean()) for fold in range(FOLDS) if right.size)
    return Probe(1 - error / max(total, TINY), accuracies)


def _folds(classes: Array | None, count: int) -> Array:
    """Which fold each input is held out in; every class is spread evenly over them."""
    random = np.random.default_rng(SEED)
    order = random.permutation(count)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    folds = np.empty(count, np.int64)
    folds[order] = np.arange(count) % FOLDS
    return folds


def _predicted(known: Array, targets: Array, held: Array) -> Array:
    """Of standardised features. Errors of leaving one out: residual / (1 - leverage)."""
    mean, spread = known.mean(axis=0), known.std(axis=0)
    spread = np.where(spread > 1e-9 * max(float(spread.max()), TINY), spread, np.inf)
    known, held = (known - mean) / spread, (held - mean) / spread
    left, singular, right = np.linalg.svd(known, full_matrices=False)
    centre = targets.mean(axis=0)
    seen = left.T @ (targets - centre)
    best = min(STRENGTHS, key=lambda s: _left_out(left, singular, seen, targets - centre, s * len(known)))
    weights = right.T @ ((singular / (singular**2 + best * len(known)))[:, None] * seen)
    return np.asarray(held @ weights + centre)


def _left_out(left: Array, singular: Array, seen: Array, targets: Array, strength: float) -> float:
    kept = singular**2 / (singular**2 + strength)
    residual = targets - left @ (kept[:, None] * seen)
    leverage = (left**2 @ kept + 1 / len(left))[:, None]
    return float(np.square(residual / np.maximum(1 - leverage, 1e-6)).sum())
