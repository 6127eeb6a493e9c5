"""Session: two runners made comparable: inputs paired, layout settled, outputs paired, probes that both can
run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.running import InputSpec, Runner
from weightbridge.model.tensors import Array
from weightbridge.verify.compare import relative_error
from weightbridge.verify.floor import Run
from weightbridge.verify.outputs import SIDES, OutputPair, Side, pair_outputs, seen, wanted
from weightbridge.verify.pairing import InputPair, Turn, aligned, pair_inputs, turned
from weightbridge.verify.probes import SIZES, Size, is_dynamic, probe, probes
from weightbridge.verify.values import Probe, Setup


@dataclass(frozen=True, slots=True)
class Runners:
    """Both models as loaded, and in float64 where they can be rebuilt."""

    reference: Runner
    candidate: Runner
    precise: Runner | None = None
    precise_candidate: Runner | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What a comparison of two models runs and compares. `unpaired` are outputs of either side without a
    partner.
    """

    inputs: tuple[InputPair, ...]
    outputs: tuple[OutputPair, ...]
    unpaired: tuple[str, ...]
    probes: tuple[Probe, ...]

    @property
    def turn(self) -> Turn:
        return layout_of(self.inputs)


def layout_of(inputs: Sequence[InputPair]) -> Turn:
    """How arrays of the reference are turned for the candidate; inputs of one or two axes do not say, and
    stay.
    """
    return next((pair.turn for pair in inputs if pair.turn != "same"), "same")


def prepare(reference: Runner, candidate: Runner, setup: Setup) -> Session | str:
    """The session, or why there is nothing to compare. Raises RunError where one of the two runs on no probe
    at all.
    """
    alternatives = pair_inputs(reference.inputs, candidate.inputs)
    if not alternatives:
        return f"the inputs differ: {_listed(reference.inputs)} against {_listed(candidate.inputs)}"
    inputs = _settled((reference, candidate), alternatives, setup.seed)
    sizes = _sizes((reference, candidate), inputs, setup.seed)
    made = probes(inputs, setup.seed, setup.evidence, sizes, setup.samples)
    results = _both((reference, candidate), inputs, made[0])
    outputs, unpaired = pair_outputs((reference, candidate), results, layout_of(inputs))
    return (
        Session(inputs, outputs, unpaired, made)
        if outputs
        else f"no output of one fits one of the other: {_shapes(results[0])} against {_shapes(results[1])}"
    )


def running(runner: Runner, session: Session, side: Side) -> Run:
    """A function from a probe's feeds to the compared arrays, under the reference's names, in that side's own
    layout.
    """

    def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
        result = runner.run(fed(feeds, session.inputs, runner, side), wanted(session.outputs, runner, side))
        return {pair.reference: seen(result, pair, runner, side) for pair in session.outputs}

    return run


def fed(
    feeds: Mapping[str, Array], inputs: Sequence[InputPair], runner: Runner, side: Side
) -> dict[str, Array]:
    """A probe's feeds by the runner's own names, in its layout and dtypes."""
    found = {}
    for pair in inputs:
        spec = runner.inputs[pair.places[SIDES.index(side)]]
        array = feeds[pair.reference.name]
        found[spec.name] = (array if side == "reference" else turned(array, pair.turn)).astype(spec.dtype)
    return found


def _settled(
    runners: tuple[Runner, Runner], alternatives: Sequence[tuple[InputPair, ...]], seed: int
) -> tuple[InputPair, ...]:
    """The layout under which outputs are nearest, where shapes leave a choice of two or three."""
    if len(alternatives) == 1:
        return alternatives[0]
    return min(alternatives, key=lambda inputs: _distance(runners, inputs, seed))


def _distance(runners: tuple[Runner, Runner], inputs: tuple[InputPair, ...], seed: int) -> float:
    try:
        sizes = _sizes(runners, inputs, seed)
        a, b = _both(runners, inputs, probe(inputs, "normal", seed, sizes[0]))
    except RunError:
        return float("inf")
    turn = layout_of(inputs)
    joined = [
        (a[x], aligned(a[x], b[y], turn))
        for x, y in zip(runners[0].outputs, runners[1].outputs, strict=False)
    ]
    return max((float("inf") if y is None else relative_error(x, y) for x, y in joined), default=float("inf"))


def _sizes(runners: tuple[Runner, Runner], inputs: Sequence[InputPair], seed: int) -> tuple[Size, ...]:
    """Up to three lengths of the dynamic axes that both models take; what a model refuses is no fault of its
    weights.
    """
    if not is_dynamic(inputs):
        return SIZES[:1]
    usable: list[Size] = []
    refused: list[RunError] = []
    for size in SIZES:
        try:
            _both(runners, inputs, probe(inputs, "normal", seed, size))
            usable.append(size)
        except RunError as error:
            refused.append(error)
        if len(usable) == 3 or (usable and len(usable) + len(refused) >= 4):
            break
    if not usable:
        raise refused[0]
    return tuple(usable)


def _both(
    runners: tuple[Runner, Runner], inputs: Sequence[InputPair], first: Probe
) -> tuple[dict[str, Array], dict[str, Array]]:
    a = runners[0].run(fed(first.feeds, inputs, runners[0], "reference"))
    return a, runners[1].run(fed(first.feeds, inputs, runners[1], "candidate"))


def _listed(specs: Sequence[InputSpec]) -> str:
    return ", ".join(f"{spec.name} {spec.shape}" for spec in specs) or "none"


def _shapes(result: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {np.shape(array)}" for name, array in result.items()) or "none"
