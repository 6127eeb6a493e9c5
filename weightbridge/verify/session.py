"""Session: two runners made comparable.

Inputs, layout and outputs settled, and probes that both can run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.running import InputSpec, Runner
from weightbridge.model.tensors import Array
from weightbridge.verify.compare import relative_error
from weightbridge.verify.floor import Run
from weightbridge.verify.outputs import SIDES, OutputPair, Side, pair_outputs, seen, wanted
from weightbridge.verify.pairing import InputPair, Turn, in_shape, pair_inputs, turned, turns_back
from weightbridge.verify.probes import SIZES, Size, is_dynamic, probe, probes
from weightbridge.verify.scales import Part, parts_of, with_parts
from weightbridge.verify.values import Probe, Setup

MOST_SIZES = 2


@dataclass(frozen=True, slots=True)
class Session:
    """What a comparison of two models runs and compares.

    unpaired: outputs of either side without a partner. parts: of outputs, which are compared by themselves.
    """

    inputs: tuple[InputPair, ...]
    outputs: tuple[OutputPair, ...]
    unpaired: tuple[str, ...]
    probes: tuple[Probe, ...]
    parts: tuple[Part, ...] = ()

    @property
    def turn(self) -> Turn:
        return layout_of(self.inputs)

    @property
    def whole(self) -> frozenset[str]:
        """The names of the outputs; parts of them have others."""
        return frozenset(pair.reference for pair in self.outputs)


def layout_of(inputs: Sequence[InputPair]) -> Turn:
    """How arrays of the reference are turned for the candidate; inputs of one or two axes do not say."""
    return next((pair.turn for pair in inputs if pair.turn != "same"), "same")


def prepare(reference: Runner, candidate: Runner, setup: Setup) -> Session | str:
    """The session, or why there is nothing to compare. RunError where one of them runs on no probe."""
    runners = reference, candidate
    alternatives = pair_inputs(reference.inputs, candidate.inputs)
    if not alternatives:
        return f"the inputs differ: {_listed(reference.inputs)} against {_listed(candidate.inputs)}"
    inputs = _settled(runners, alternatives, setup)
    sizes = _sizes(runners, inputs, setup.seed)
    selected = probes(inputs, setup.seed, setup.evidence, sizes, setup.samples)
    results = _both(runners, inputs, selected[0])
    layout, is_one = layout_of(inputs), setup.is_one_layout
    outputs, unpaired = pair_outputs(runners, results, layout, is_one_layout=is_one)
    if not outputs:
        return f"no output of one fits one of the other: {_shapes(results[0])} against {_shapes(results[1])}"
    plain = {pair.reference: results[0][pair.reference] for pair in outputs if pair.view == "plain"}
    return Session(inputs, outputs, unpaired, selected, parts_of(plain))


def running(runner: Runner, session: Session, side: Side) -> Run:
    """A function from a probe's feeds to the compared arrays.

    These have the reference's names and layout; parts of outputs are among them.
    """
    outputs = session.outputs

    def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
        own_feeds = fed(feeds, session.inputs, runner, side)
        result = runner.run(own_feeds, wanted(outputs, runner, side))
        arrays = {pair.reference: seen(result, pair, runner, side) for pair in outputs}
        if side == "candidate":
            arrays = {pair.reference: turned(arrays[pair.reference], pair.turn) for pair in outputs}
        return with_parts(arrays, session.parts)

    return run


def fed(
    feeds: Mapping[str, Array], inputs: Sequence[InputPair], runner: Runner, side: Side
) -> dict[str, Array]:
    """A probe's feeds by the runner's own names, in its layout and dtypes."""
    own_feeds = {}
    for pair in inputs:
        spec = runner.inputs[pair.places[SIDES.index(side)]]
        array = feeds[pair.reference.name]
        if side == "candidate":
            array = turned(array, pair.turn)
        own_feeds[spec.name] = spec.typed(array)
    return own_feeds


def _settled(
    runners: tuple[Runner, Runner], alternatives: Sequence[tuple[InputPair, ...]], setup: Setup
) -> tuple[InputPair, ...]:
    """The layout under which outputs are nearest, where shapes leave a choice of two or three."""
    if len(alternatives) == 1:
        return alternatives[0]
    return min(alternatives, key=lambda inputs: _distance(runners, inputs, setup))


def _distance(runners: tuple[Runner, Runner], inputs: tuple[InputPair, ...], setup: Setup) -> float:
    try:
        sizes = _sizes(runners, inputs, setup.seed)
        a, b = _both(runners, inputs, probe(inputs, "normal", setup.seed, sizes[0]))
    except RunError:
        return inf
    turn = layout_of(inputs)
    names = zip(runners[0].outputs, runners[1].outputs, strict=False)
    distances = (_apart(a[x], b[y], turn, is_one=setup.is_one_layout) for x, y in names)
    return max(distances, default=inf)


def _apart(reference: Array, candidate: Array, turn: Turn, *, is_one: bool) -> float:
    """In the layout that a shape allows first, or in the nearest of them."""
    choices = turns_back(reference, candidate, turn)
    arrays = [turned(candidate, choice) for choice in choices[: 1 if is_one else None]]
    arrays = arrays or [array for array in (in_shape(reference, candidate),) if array is not None]
    return min((relative_error(reference, array) for array in arrays), default=inf)


def _sizes(runners: tuple[Runner, Runner], inputs: Sequence[InputPair], seed: int) -> tuple[Size, ...]:
    """Up to two lengths of the dynamic axes that both models take: a usual one, and an odd one.

    What a model refuses is no fault of its weights.
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
        if len(usable) == MOST_SIZES or (usable and len(usable) + len(refused) >= 4):
            break
    if not usable:
        raise refused[0]
    return tuple(usable)


def _both(
    runners: tuple[Runner, Runner], inputs: Sequence[InputPair], one_probe: Probe
) -> tuple[dict[str, Array], dict[str, Array]]:
    reference, candidate = runners
    expected = reference.run(fed(one_probe.feeds, inputs, reference, "reference"))
    got = candidate.run(fed(one_probe.feeds, inputs, candidate, "candidate"))
    return expected, got


def _listed(specs: Sequence[InputSpec]) -> str:
    return ", ".join(f"{spec.name} {spec.shape}" for spec in specs) or "none"


def _shapes(result: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {np.shape(array)}" for name, array in result.items()) or "none"
