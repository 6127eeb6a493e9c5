"""Which of the source's channels each channel of a target's cut stands for."""

from collections.abc import Sequence

import numpy as np
import scipy

from weightbridge.model.tensors import Array


def chosen(y: Array, count: int, known: Array | None = None) -> Array:
    """The channels that pivoted QR takes first of centred rows; all, some again, where there are fewer.

    known: rows that are there already; what they predict is taken off.
    """
    y = np.asarray(y, dtype="float64")
    y = y - y.mean(0)
    if known is not None:
        y = y - _projected(y, np.asarray(known, dtype="float64"))
    if count >= y.shape[1] and known is None:
        return np.asarray(np.arange(count) % y.shape[1])
    order = _pivots(y.T @ y)
    return np.asarray(order[np.arange(count) % len(order)])


def shared_out(order: Array, ease: Array, widths: Sequence[int], reach: Sequence[int]) -> list[Array]:
    """The channels for each branch: those that are easy for a 1x1 kernel go to the branches that reach least.

    ease: by place in `order`, how well a 1x1 kernel predicts it.
    """
    easiest = order[np.argsort(-ease, kind="stable")]
    shares: list[Array] = [order[:0]] * len(widths)
    start = 0
    for branch in sorted(range(len(widths)), key=lambda n: (reach[n], n)):
        shares[branch] = easiest[start : start + widths[branch]]
        start += widths[branch]
    return shares


def _pivots(gram: Array) -> Array:
    """The order of pivoted QR, by pivoted Cholesky of its Gram matrix; what has no length left comes last."""
    _, order, rank, _ = scipy.linalg.lapack.dpstrf(gram, tol=1e-10 * max(float(gram.diagonal().max()), 1e-30))
    order = order - 1
    return np.concatenate([order[:rank], np.sort(order[rank:])])


def _projected(y: Array, known: Array) -> Array:
    known = known - known.mean(0)
    gram = known.T @ known
    gram[np.diag_indices_from(gram)] += 1e-4 * np.trace(gram) / len(gram) + 1e-12
    return np.asarray(known @ scipy.linalg.solve(gram, known.T @ y, assume_a="pos"))
