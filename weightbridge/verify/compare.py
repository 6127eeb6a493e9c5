"""Comparison of two arrays against a measured noise floor: NRMSE as a multiple of it, no absolute term, NaN
never equal.
"""

from dataclasses import replace
from math import inf, sqrt

import numpy as np

from weightbridge.diagnostics import Finding, finding
from weightbridge.model.tensors import Array
from weightbridge.verify.values import Comparison, K, Status

POWERLESS = 1e-2  # a check that only notices changes above one percent proves too little


def compare(name: str, probe: str, reference: Array, candidate: Array, floor: float) -> Comparison:
    """`candidate` against `reference` (same shape; float64 where it could be run), where `floor` is the
    relative noise of the reference.

    Equal iff NRMSE / floor <= K (1 + 3 / sqrt(2 n)): the second factor is the spread of an RMS over n
    elements.
    """
    assert reference.shape == candidate.shape, "align before comparing"
    limit = limit_of(reference.size)
    expected, got = np.asarray(reference, np.float64), np.asarray(candidate, np.float64)
    if not (np.isfinite(expected).all() and np.isfinite(got).all()):
        return Comparison(
            name,
            probe,
            "non-finite",
            expected.size,
            inf,
            floor,
            inf,
            limit,
            inf,
            inf,
            _first_non_finite(expected, got),
            0.0,
        )
    nrmse = relative_error(expected, got)
    if not np.any(expected):
        return Comparison(
            name,
            probe,
            "zero-energy",
            expected.size,
            nrmse,
            floor,
            nrmse,
            limit,
            float(np.abs(got).max(initial=0.0)),
        )
    return _measured(
        Comparison(
            name,
            probe,
            _status(nrmse / floor, limit, floor),
            expected.size,
            nrmse,
            floor,
            nrmse / floor,
            limit,
        ),
        expected,
        got,
    )


def relative_error(reference: Array, other: Array) -> float:
    """NRMSE: the root mean square of the difference over that of the reference; 0 where both are zero, inf
    where only the reference is.
    """
    energy = float(np.linalg.norm(reference.ravel()))
    error = float(np.linalg.norm((other - reference).ravel()))
    if energy == 0.0:
        return 0.0 if error == 0.0 else inf
    return error / energy


def limit_of(elements: int) -> float:
    """The largest ratio that passes for this many elements."""
    return K * (1 + 3 / sqrt(2 * max(elements, 1)))


def finding_of(comparison: Comparison, hint: str = "") -> Finding | None:
    """What a user should know of one comparison; None where it is equal, or proves nothing by itself."""
    place = f"output {comparison.name!r} on probe {comparison.probe!r}"
    where = f"worst at index {list(comparison.worst_index)}"
    if comparison.status == "non-finite":
        message = f"{place}: NaN or Inf at index {list(comparison.worst_index)} of the target's output or the source's"
        return finding(
            "WB405",
            message,
            target=comparison.name,
            fix="look for NaN among the weights (WB106) and for overflow in the target's dtype",
        )
    if comparison.status != "differs":
        return None
    times = f"{comparison.ratio:.3g} times the noise floor {comparison.floor:.2g}, at most {comparison.limit:.3g} passes"
    size = f"relative error {comparison.nrmse:.3g} is {times}"
    message = f"{place} differs: {size}; {where}, off by {comparison.max_abs:.3g}; a tolerance of {comparison.nrmse:.2g} would have passed{hint}"
    return finding(
        "WB401",
        message,
        target=comparison.name,
        fix="see the layers that differ; the first of them is where to look",
    )


def _status(ratio: float, limit: float, floor: float) -> Status:
    """A difference far above a high floor is still a difference; agreement under it proves nothing."""
    if ratio > limit:
        return "differs"
    return "ill-conditioned" if floor * limit > POWERLESS else "equal"


def _measured(comparison: Comparison, expected: Array, got: Array) -> Comparison:
    error = np.abs(got - expected)
    worst = np.unravel_index(int(error.argmax()), error.shape)
    scale = float(np.sqrt(np.mean(np.square(expected))))
    norms = float(np.linalg.norm(expected.ravel()) * np.linalg.norm(got.ravel()))
    channel, ratio = _worst_channel(expected, got, comparison.floor)
    return replace(
        comparison,
        max_abs=float(error[worst]),
        max_rel=float((error / (np.abs(expected) + scale)).max()),
        worst_index=tuple(int(i) for i in worst),
        cosine=float(np.vdot(expected, got)) / norms if norms else 0.0,
        channel_ratio=ratio,
        worst_channel=channel,
    )


def _worst_channel(expected: Array, got: Array, floor: float) -> tuple[int, float]:
    """The channel (last axis) with the largest error against its own energy; channels that are all zero do
    not count.
    """
    flat = expected.reshape(-1, expected.shape[-1]) if expected.ndim else expected.reshape(1, 1)
    energy = np.linalg.norm(flat, axis=0)
    error = np.linalg.norm(got.reshape(flat.shape) - flat, axis=0)
    ratios = np.divide(error, energy, out=np.zeros_like(error), where=energy > 0) / floor
    worst = int(ratios.argmax())
    return worst, float(ratios[worst])


def _first_non_finite(expected: Array, got: Array) -> tuple[int, ...]:
    bad = ~(np.isfinite(expected) & np.isfinite(got))
    return tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
