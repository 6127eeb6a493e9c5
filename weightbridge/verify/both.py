"""Noise of both: the candidate rounds too, and may round more than the reference, by its order of sums."""

from collections.abc import Iterator, Sequence
from itertools import chain

from weightbridge.errors import RunError
from weightbridge.formats.running import Rearrangeable, Runner
from weightbridge.model.tensors import Array
from weightbridge.verify.arithmetic import Runners, moved_candidate, with_candidate_in_double
from weightbridge.verify.floor import Expected, Run, with_noise_of, with_own_noise
from weightbridge.verify.outputs import Side
from weightbridge.verify.pairing import in_shape
from weightbridge.verify.session import Session, running
from weightbridge.verify.values import Comparison, Setup

USUAL = 2.0  # noise floors; a correct implementation measures 0.45 to 1.75


def are_unusual(comparisons: Sequence[Comparison]) -> bool:
    """Whether anything is farther off, by the reference's floor, than a correct implementation is."""
    return any(c.is_different or c.ratio > USUAL for c in comparisons if c.status != "zero-energy")


def differ(comparisons: Sequence[Comparison]) -> bool:
    return any(comparison.is_different for comparison in comparisons)


def in_double(runners: Runners, session: Session, setup: Setup) -> Runners:
    """As they are where the candidate does not run in float64."""
    found = with_candidate_in_double(runners, setup)
    if found.precise_candidate is None or found is runners:
        return found
    try:
        running(found.precise_candidate, session, "candidate")(session.probes[0].feeds)
    except RunError:
        return runners
    return found


def with_noise_of_both(
    runners: Runners, session: Session, setup: Setup, expected: Sequence[Expected]
) -> tuple[tuple[Expected, ...], tuple[Comparison, ...]]:
    """The candidate rounds too; where that does not explain a difference, both are measured in other ways."""
    run = running(runners.candidate, session, "candidate")
    found = _with_own_noise(runners, session, expected)
    comparisons = compare_runs(found, run)
    if not differ(comparisons):
        return found, comparisons
    for pair in chain(_moved(runners, session, setup), _in_other_pieces(runners, session)):
        expected = with_noise_of(expected, pair)
    found = _with_own_noise(runners, session, expected)
    return found, compare_runs(found, run)


def compare_runs(expected: Sequence[Expected], run: Run) -> tuple[Comparison, ...]:
    """All arrays of all probes on which the reference is finite. RunError for an array that fits no more."""
    comparisons = []
    for one in expected:
        result = run(one.probe.feeds)
        shown = (name for name in sorted(one.finite) if name in result)  # a part may not be there
        comparisons += [_compared(one, name, result[name]) for name in shown]
    return tuple(comparisons)


def of_candidate(runners: Runners, session: Session) -> tuple[Run, Run] | None:
    if runners.precise_candidate is None:
        return None
    exact = running(runners.precise_candidate, session, "candidate")
    return exact, running(runners.candidate, session, "candidate")


def _with_own_noise(runners: Runners, session: Session, expected: Sequence[Expected]) -> tuple[Expected, ...]:
    other = of_candidate(runners, session)
    return (*expected,) if other is None else tuple(with_own_noise(one, other) for one in expected)


def _moved(runners: Runners, session: Session, setup: Setup) -> Iterator[tuple[Run, Run]]:
    """The candidate beside itself with its weights moved."""
    rough = running(runners.candidate, session, "candidate")
    for build in moved_candidate(runners, setup):
        yield rough, running(build(), session, "candidate")


def _in_other_pieces(runners: Runners, session: Session) -> Iterator[tuple[Run, Run]]:
    """Each side as it is, and with its work cut otherwise, where that can be had.

    A model that divides by its own range tells equal numbers apart that two kernels round differently.
    """
    sides: tuple[tuple[Runner, Side], ...] = (
        (runners.reference, "reference"),
        (runners.candidate, "candidate"),
    )
    for runner, side in sides:
        if isinstance(runner, Rearrangeable):
            yield running(runner, session, side), running(runner.rearranged(), session, side)


def _compared(expected: Expected, name: str, got: Array) -> Comparison:
    reference, probe = expected.values[name], expected.probe.name
    array = in_shape(reference, got)
    if array is None:
        raise RunError(f"output {name!r} is {got.shape} on probe {probe!r}, expected {reference.shape}")
    return expected.compared(name, array)
