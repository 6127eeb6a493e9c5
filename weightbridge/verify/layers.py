"""Layers: activations of matched layers, compared from the inputs on to show where a difference begins."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.boundary.options import Progress, silent
from weightbridge.formats.running import Observable, Runner
from weightbridge.model.tensors import Array
from weightbridge.verify.arithmetic import Build, Runners
from weightbridge.verify.floor import BuildRun, Expected, Run, Sources, expect
from weightbridge.verify.outputs import Side
from weightbridge.verify.pairing import aligned
from weightbridge.verify.session import Session, fed
from weightbridge.verify.values import rounded

Pair = tuple[str, str]
CHUNK = 16  # pairs of layers in memory at once


def compare_layers(
    runners: Runners, session: Session, pairs: Sequence[Pair], seed: int, progress: Progress = silent
) -> tuple[Mapping[str, Any], ...]:
    """One entry for each matched pair of layers (reference, candidate) that both models can show.

    In the order given, on the first probe. `ratio_cumulative` carries everything before the layer with it. An
    activation fused into a layer on one side alone makes that boundary differ though the models agree: layers
    show where to look, outputs decide.
    """
    shown = _shown(runners.reference, runners.candidate, pairs)
    found: list[Mapping[str, Any]] = []
    for i in range(0, len(shown), CHUNK):
        progress("comparing layers", i, len(shown))
        found += _chunk(runners, session, shown[i : i + CHUNK], seed)
    return tuple(found)


def where_to_look(
    layers: Sequence[Mapping[str, Any]], hints: Sequence[str], remarks: Sequence[str] = ()
) -> tuple[str, str]:
    """For the message on a differing output: the first layer that differs, and what to do next.

    hints: places at which the two are known to compute something else. remarks: what a runner knows of it.
    """
    if remarks:
        fix = "compare where these lengths differ, if the model takes other sizes: that sum is right then"
        return f"; {'; '.join(remarks)}", fix
    known = f"; {', '.join(hints)} differ in their attributes" if hints else ""
    first = next((layer for layer in layers if not layer["passed"]), None)
    if first is not None:
        said = f"; the first layer that differs is {first['target']!r}{known}"
        return said, "see the layers that differ; the first of them is where to look"
    if hints:
        return known, f"see WB403 at {hints[0]}: give the target the source's attributes, or leave it so"
    if layers:
        said = f"; none of the {len(layers)} layers compared differs"
        return said, "look behind the last layer that was compared: an activation, a pooling, the head"
    fix = "no layer could be compared, as one side shows none: look at the steps of confidence below 1"
    return "", fix


def _shown(reference: Runner, candidate: Runner, pairs: Sequence[Pair]) -> list[Pair]:
    if not (isinstance(reference, Observable) and isinstance(candidate, Observable)):
        return []
    sources, targets = frozenset(reference.layers), frozenset(candidate.layers)
    return [(source, target) for source, target in pairs if source in sources and target in targets]


def _chunk(runners: Runners, session: Session, pairs: Sequence[Pair], seed: int) -> list[Mapping[str, Any]]:
    sources = Sources(
        _activations(runners.reference, session, pairs, "reference"),
        _activations(runners.precise, session, pairs, "reference") if runners.precise else None,
        _others(runners, session, pairs),
        _each(runners.moved, session, pairs),
        _each(runners.coarsely, session, pairs),
        runners.ulp,
        runners.coarse_ulp,
        lambda reference, array: aligned(reference, array, session.turn),
    )
    (expected,) = expect(sources, session.probes[:1], seed)
    got = _activations(runners.candidate, session, pairs, "candidate")(expected.probe.feeds)
    comparable = (pair for pair in pairs if pair[0] in expected.finite and pair[0] in got)
    compared = (_entry(expected, pair, got[pair[0]], session) for pair in comparable)
    return [entry for entry in compared if entry is not None]


def _others(runners: Runners, session: Session, pairs: Sequence[Pair]) -> tuple[Run, Run] | None:
    if runners.precise_candidate is None:
        return None
    exact = _activations(runners.precise_candidate, session, pairs, "candidate")
    return exact, _activations(runners.candidate, session, pairs, "candidate")


def _each(builds: Sequence[Build], session: Session, pairs: Sequence[Pair]) -> tuple[BuildRun, ...]:
    def later(build: Build) -> BuildRun:
        return lambda: _activations(build(), session, pairs, "reference")

    return tuple(later(build) for build in builds)


def _activations(runner: Runner, session: Session, pairs: Sequence[Pair], side: Side) -> Run:
    """A function from feeds to activations under the reference's layer names."""
    names = {source: source if side == "reference" else target for source, target in pairs}

    def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
        own_feeds = fed(feeds, session.inputs, runner, side)
        result = runner.run(own_feeds, tuple(dict.fromkeys(names.values())))
        shown = {source: f"layer:{name}" for source, name in names.items()}
        return {source: result[key] for source, key in shown.items() if key in result}

    return run


def _entry(expected: Expected, pair: Pair, got: Array, session: Session) -> Mapping[str, Any] | None:
    """None where the boundary is not one to one: its shapes differ."""
    source, target = pair
    reference = expected.values[source]
    array = aligned(reference, got, session.turn)
    if array is None:
        return None
    c = expected.compared(source, array)
    return {
        "source": source,
        "target": target,
        "status": c.status,
        "passed": not c.is_different,
        "ratio_cumulative": rounded(c.ratio),
        "nrmse": rounded(c.nrmse),
        "floor": rounded(c.floor),
        "limit": rounded(c.limit),
        "max_abs": rounded(c.max_abs),
    }
