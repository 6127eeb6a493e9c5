"""In which arithmetic two models are compared: float64 where that can be had, else as they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from weightbridge.errors import ModelError, RunError
from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.formats.running import ULPS, Adjustable, Change, Precision, Runner, Widenable
from weightbridge.model.tensors import Array, dtype_of
from weightbridge.verify.values import Setup

PLAIN = Precision()
PERTURBATIONS = (
    8  # runs with everything moved by one unit in the last place, where nothing else measures the noise
)
FEW = 2  # where float64 runs measure it too
Build = Callable[[], Runner]


@dataclass(frozen=True, slots=True)
class Runners:
    """Both models as they are compared.

    precise, precise_candidate: in float64, which measures how they round.
    moved: the reference with every weight moved by one unit in the last place of `ulp`.
    coarsely: the same by `coarse_ulp`, that of the coarser dtype that the target stores its weights in.
    as_it_is: the candidate itself, where a float64 copy of it is compared. said: which arithmetic that is.
    is_exact: whether the reference was run in float64, which may have been let go since.
    """

    reference: Runner
    candidate: Runner
    precise: Runner | None = None
    precise_candidate: Runner | None = None
    moved: tuple[Build, ...] = ()
    coarsely: tuple[Build, ...] = ()
    ulp: float = ULPS["float32"]
    coarse_ulp: float = 0.0
    as_it_is: Runner | None = None
    said: str = ""
    is_exact: bool = False


def runners_of(reference: Runner, candidate: Runner, setup: Setup) -> Runners:
    """In float64 both where one of them is coarser than float32, else the reference alone, else the
    candidate.
    """
    dtypes = {precision_of(reference).coarsest, precision_of(candidate).coarsest}
    ulp = max(ULPS[dtype] for dtype in dtypes)
    if ulp > ULPS["float32"]:
        return _narrow(reference, candidate, setup, ulp)
    precise = _in_double(reference, setup)
    if precise is not None:
        return Runners(reference, candidate, precise, is_exact=True)
    precise_candidate = _built(setup.precise_candidate)
    count = PERTURBATIONS if precise_candidate is None else FEW
    moved = _moved(reference, setup.seed, ulp, count)
    return Runners(reference, candidate, None, precise_candidate, moved)


def without_precise(runners: Runners) -> Runners:
    """The reference in float64 let go: what it gives is known, and it takes twice the model's memory."""
    return replace(runners, precise=None)


def with_precise(runners: Runners, setup: Setup) -> Runners:
    """It once more."""
    return replace(runners, precise=_in_double(runners.reference, setup)) if runners.is_exact else runners


def with_candidate_in_double(runners: Runners, setup: Setup) -> Runners:
    """With the candidate in float64, where it was not needed so far and can be had."""
    if runners.precise_candidate is not None or runners.as_it_is is not None:
        return runners
    return replace(runners, precise_candidate=_built(setup.precise_candidate))


def moved_candidate(runners: Runners, setup: Setup) -> tuple[Build, ...]:
    """The candidate with its weights moved by one unit in the last place, a few times."""
    return _moved(runners.candidate, setup.seed, ULPS["float32"], FEW) if runners.as_it_is is None else ()


def said_of_precision(reference: Runner, candidate: Runner) -> tuple[Finding, ...]:
    """A note where the two compute, or store their weights, in other dtypes: no fault of a transfer."""
    if precision_of(reference) == precision_of(candidate):
        return ()
    message = f"the source computes in {_name(reference)}, the target in {_name(candidate)}"
    fix = "nothing, where that is meant: the outputs agree to what the coarser of the two can hold"
    return (with_severity(finding("WB403", message, fix=fix), "note"),)


def precision_of(runner: Runner) -> Precision:
    return runner.precision if isinstance(runner, Adjustable) else PLAIN


def rounding(dtypes: Mapping[str, str], default: str) -> Change:
    """Every value as the dtype holds it that is given for its layer."""

    def rounded(layer: str, array: Array) -> Array:
        dtype = dtypes.get(layer, default)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(array.astype(dtype_of(dtype)).astype(array.dtype))

    return rounded


def moving(seed: int, ulp: float) -> Change:
    """Every value moved by up to one unit in the last place, up or down; zeros stay."""
    generator = np.random.default_rng([seed, 3])

    def moved(_: str, array: Array) -> Array:
        wide = array.astype(np.float64)
        moves = generator.uniform(-ulp, ulp, array.shape)
        with np.errstate(over="ignore"):
            return np.asarray((wide * (1 + moves)).astype(array.dtype))

    return moved


def _narrow(reference: Runner, candidate: Runner, setup: Setup, ulp: float) -> Runners:
    """What a coarse dtype rounds off hides no fault in float64 copies, but for the weights it has rounded."""
    exact, exact_candidate = _built(setup.precise), _built(setup.precise_candidate)
    if exact is None or exact_candidate is None:
        moved = _moved(reference, setup.seed, ulp, PERTURBATIONS)
        return Runners(reference, candidate, moved=moved, ulp=ulp, coarse_ulp=ulp)
    stored = precision_of(candidate).storage
    is_rounded = ULPS[stored] > ULPS[precision_of(reference).storage]
    rounded = _with(exact, _as_stored(candidate, setup)) if is_rounded else exact
    return Runners(
        reference=rounded,
        candidate=exact_candidate,
        moved=_moved(rounded, setup.seed, ULPS["float32"], FEW),
        coarsely=_moved(exact, setup.seed, ULPS[stored] / 2, PERTURBATIONS) if is_rounded else (),
        coarse_ulp=ULPS[stored] if is_rounded else 0.0,
        as_it_is=candidate,
        said=f"float64: the source computes in {_name(reference)}, the target in {_name(candidate)}",
    )


def _as_stored(candidate: Runner, setup: Setup) -> Change:
    """Each layer's weights rounded as its counterpart in the candidate stores them."""
    stored = candidate.stored if isinstance(candidate, Adjustable) else {}
    dtypes = {ours: stored[theirs] for ours, theirs in reversed(setup.layers) if theirs in stored}
    return rounding(dtypes, precision_of(candidate).storage)


def _in_double(reference: Runner, setup: Setup) -> Runner | None:
    """From the model that is there already, where it can be had so."""
    if setup.precise is not None and isinstance(reference, Widenable):
        try:
            return reference.in_double()
        except RunError:
            pass  # its file may still be loaded in float64
    return _built(setup.precise)


def _built(build: Build | None) -> Runner | None:
    """None where this model cannot be had in float64."""
    try:
        return build() if build is not None else None
    except (RunError, ModelError):
        return None


def _with(runner: Runner, change: Change) -> Runner:
    """The runner itself where its weights cannot be changed."""
    return runner.with_weights(change) if isinstance(runner, Adjustable) else runner


def _moved(runner: Runner, seed: int, ulp: float, count: int) -> tuple[Build, ...]:
    """Built one at a time: each holds a copy of all weights."""
    return tuple(_mover(runner, moving(seed + i, ulp)) for i in range(count))


def _mover(runner: Runner, change: Change) -> Build:
    return lambda: _with(runner, change)


def _name(runner: Runner) -> str:
    own = precision_of(runner)
    return own.compute if own.compute == own.storage else f"{own.compute} with weights in {own.storage}"
