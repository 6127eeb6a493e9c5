"""Two arrays against a measured noise floor.

NRMSE as a multiple of it, no absolute term, NaN never equal.
"""

from dataclasses import replace
from math import inf, sqrt

import numpy as np

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.tensors import Array
from weightbridge.verify.values import Comparison, K, Status

POWERLESS = 1e-2  # a check that only notices changes above one percent proves too little
COARSELY = 32.0  # units in the last place of a coarse dtype, whose rounding adds up (float16: 3 %)


def compare(
    name: str, probe: str, reference: Array, candidate: Array, floor: float, ulp: float = 0.0
) -> Comparison:
    """`candidate` against `reference` (same shape; float64 where it could be run).

    floor: the relative noise of the reference. ulp: that of the coarsest dtype of the two, below which no
    check can look. Equal iff NRMSE / floor <= K (1 + 3 / sqrt(2 n)): the second
    factor is the spread of an RMS over n elements.
    """
    assert reference.shape == candidate.shape, "align before comparing"
    expected, got = np.asarray(reference, np.float64), np.asarray(candidate, np.float64)
    if not (np.isfinite(expected).all() and np.isfinite(got).all()):
        return _of_non_finite(name, probe, expected, got, floor)
    limit, nrmse = limit_of(expected.size), relative_error(expected, got)
    if not np.any(expected):
        largest = float(np.abs(got).max(initial=0.0))
        return Comparison(name, probe, "zero-energy", expected.size, nrmse, floor, nrmse, limit, largest)
    ratio = nrmse / floor
    status = _status(ratio, limit, floor, max(POWERLESS, COARSELY * ulp))
    comparison = Comparison(name, probe, status, expected.size, nrmse, floor, ratio, limit)
    return _measured(comparison, expected, got)


def _of_non_finite(name: str, probe: str, expected: Array, got: Array, floor: float) -> Comparison:
    return Comparison(
        name=name,
        probe=probe,
        status="non-finite",
        elements=expected.size,
        nrmse=inf,
        floor=floor,
        ratio=inf,
        limit=limit_of(expected.size),
        max_abs=inf,
        max_rel=inf,
        worst_index=_first_non_finite(expected, got),
        cosine=0.0,
    )


def relative_error(reference: Array, other: Array) -> float:
    """NRMSE: the root mean square of the difference over that of the reference.

    0 where both are zero, inf where only the reference is.
    """
    energy = float(np.linalg.norm(reference.ravel()))
    error = float(np.linalg.norm((other - reference).ravel()))
    if energy == 0.0:
        return 0.0 if error == 0.0 else inf
    return error / energy


def limit_of(elements: int, most: float = K) -> float:
    """The largest ratio that passes for this many elements; `most` of very many."""
    return most * (1 + 3 / sqrt(2 * max(elements, 1)))


def finding_of(comparison: Comparison, where: tuple[str, str] = ("", "")) -> Finding | None:
    """What a user should know of one comparison; None where it is equal, or proves nothing by itself."""
    match comparison.status:
        case "non-finite":
            return _said_of_non_finite(comparison)
        case "differs":
            return _said_of_difference(comparison, *where)
        case _:
            return None


def _said_of_non_finite(comparison: Comparison) -> Finding:
    index = list(comparison.worst_index)
    message = f"{_place(comparison)}: NaN or Inf at index {index} of the target's output or the source's"
    fix = "look for NaN among the weights (WB106) and for overflow in the target's dtype"
    return finding("WB405", message, target=comparison.name, fix=fix)


def _said_of_difference(comparison: Comparison, hint: str, fix: str) -> Finding:
    c = comparison
    allowed = f"the noise floor {c.floor:.2g}, at most {c.limit:.3g} passes"
    size = f"relative error {c.nrmse:.3g} is {c.ratio:.3g} times {allowed}"
    where = f"worst at index {list(c.worst_index)}, off by {c.max_abs:.3g}"
    passing = f"a tolerance of {c.nrmse:.2g} would have passed"
    message = f"{_place(c)} differs: {size}; {where}; {passing}{hint}"
    return finding("WB401", message, target=c.name, fix=fix)


def _place(comparison: Comparison) -> str:
    return f"output {comparison.name!r} on probe {comparison.probe!r}"


def _status(ratio: float, limit: float, floor: float, powerless: float) -> Status:
    """A difference far above a high floor is still a difference; agreement under it proves nothing."""
    if ratio > limit:
        return "differs"
    return "ill-conditioned" if floor * limit > powerless else "equal"


def _measured(comparison: Comparison, expected: Array, got: Array) -> Comparison:
    error = np.abs(got - expected)
    worst = np.unravel_index(int(error.argmax()), error.shape)
    scale = float(np.sqrt(np.mean(np.square(expected))))
    relative = error / (np.abs(expected) + scale)
    channel, ratio = _worst_channel(expected, got, comparison.floor)
    return replace(
        comparison,
        max_abs=float(error[worst]),
        max_rel=float(relative.max()),
        worst_index=tuple(int(i) for i in worst),
        cosine=_cosine(expected, got),
        channel_ratio=ratio,
        worst_channel=channel,
    )


def _cosine(expected: Array, got: Array) -> float:
    norms = float(np.linalg.norm(expected.ravel()) * np.linalg.norm(got.ravel()))
    return float(np.vdot(expected, got)) / norms if norms else 0.0


def _worst_channel(expected: Array, got: Array, floor: float) -> tuple[int, float]:
    """The channel (last axis) of the largest error against its own energy; all-zero ones do not count."""
    channels = expected.shape[-1] if expected.ndim else 1
    flat = expected.reshape(-1, channels)
    energy = np.linalg.norm(flat, axis=0)
    error = np.linalg.norm(got.reshape(flat.shape) - flat, axis=0)
    relative = np.divide(error, energy, out=np.zeros_like(error), where=energy > 0)
    ratios = relative / floor
    worst = int(ratios.argmax())
    return worst, float(ratios[worst])


def _first_non_finite(expected: Array, got: Array) -> tuple[int, ...]:
    bad = ~(np.isfinite(expected) & np.isfinite(got))
    first = np.unravel_index(int(bad.argmax()), bad.shape)
    return tuple(int(i) for i in first)
