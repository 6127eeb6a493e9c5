"""What a user says with --map, --fresh and --unused: each shows in the plan, or is refused."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from weightbridge.boundary.globs import mapped, met, near
from weightbridge.boundary.options import Options
from weightbridge.boundary.records import dataclass
from weightbridge.boundary.shell import option
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, listed
from weightbridge.model.graph import LayerGraph
from weightbridge.model.scopes import LISTED, names_of, scopes_of
from weightbridge.plan import Plan, Step

OTHER_ARCHITECTURE = "WB309"
SAYS_SO = frozenset({"WB201", "WB209", "WB301"})  # errors that say what became of a map
TIED = "WB211"
OF_PAIRS = frozenset(
    {TIED, "WB208", "WB209", "WB301", "WB305", "WB404"}
)  # of what a target takes from a source
SHOWN = 3
Names = tuple[str, ...]


def declared(graph: LayerGraph, globs: Iterable[str]) -> frozenset[str]:
    """The tensors that globs name, themselves, by their layer or by a scope that it stands in."""
    known = dict.fromkeys(names_of(graph))
    names = frozenset(chain.from_iterable(met(glob, known) for glob in globs))
    if not names:
        return names
    named = {layer.name for layer in graph.layers if not names.isdisjoint(scopes_of((layer.name,)))}
    named |= names
    return frozenset(name for name, layer in graph.owner.items() if name in names or layer.name in named)


def without_declared(
    findings: Iterable[Finding], source: LayerGraph, target: LayerGraph, options: Options
) -> Iterator[Finding]:
    """The findings but those of pairs that a declaration ends: a fresh target takes nothing from anywhere."""
    fresh, unused = declared(target, options.fresh), declared(source, options.unused)
    for found in findings:
        is_moot = found.code in OF_PAIRS and _is_within(found.target, target, fresh)
        is_given_up = found.code == TIED and _is_within(found.source, source, unused)
        if not (is_moot or is_given_up):
            yield found


def _is_within(place: str, graph: LayerGraph, names: Collection[str]) -> bool:
    """Whether a tensor, or a layer with all of its tensors, is among these."""
    layer = graph.by_name.get(place)
    tensors = (place,) if layer is None else tuple(tensor.name for tensor in layer.tensors)
    return bool(tensors) and all(name in names for name in tensors)


def check_globs(source: LayerGraph, target: LayerGraph, options: Options) -> None:
    """Raises UsageError for a glob of --fresh or --unused that names nothing."""
    _refuse_empty("--fresh", options.fresh, "target", names_of(target))
    _refuse_empty("--unused", options.unused, "source", _stored(source))


def check_carried_out(
    source: LayerGraph, target: LayerGraph, plan: Plan, findings: Iterable[Finding], options: Options
) -> None:
    """Raises UsageError for a map, or a glob of --unused, that does not show in the plan.

    Of two different architectures WB309 says how to go on, and with that the map is carried out.
    """
    said = tuple(findings)
    if any(found.code == OTHER_ARCHITECTURE for found in said):
        return
    steps = {step.target: step for step in plan.steps}
    errors = frozenset(found.target for found in said if found.code in SAYS_SO)
    outcome = _Outcome(source, target, steps, errors, declared(target, options.fresh))
    for left, right in options.map:
        _check_map(outcome, left, right)
    _refuse_used(source, plan, options.unused)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of what was said: the plan's steps by target, and where an error says more."""

    source: LayerGraph
    target: LayerGraph
    steps: Mapping[str, Step]
    errors: frozenset[str]
    fresh: frozenset[str]


def _check_map(outcome: _Outcome, left: str, right: str) -> None:
    """Raises UsageError where a pair of the map's tensors does not show in the plan."""
    for theirs, ours in _tensor_pairs(outcome.source, outcome.target, left, right):
        if not _shows(outcome, theirs, ours):
            why = _why(outcome, theirs[0], ours[0])
            raise UsageError(f"--map {left}={right}: {why}", fix="name a tensor or layer that fits")


def _refuse_empty(option: str, globs: Iterable[str], side: str, names: Collection[str]) -> None:
    for glob in globs:
        if not met(glob, names):
            message = f"{option} {glob}: the {side} has no {glob!r}{near(glob, names)}"
            raise UsageError(message, fix=LISTED)


def _tensor_pairs(
    source: LayerGraph, target: LayerGraph, left: str, right: str
) -> Iterator[tuple[Names, Names]]:
    """What a map joins, as tensors; layers without any are left out where the map names others too."""
    theirs, ours = _tensors_by_name(source), _tensors_by_name(target)
    pairs = [(theirs[s], ours[t]) for s, t in mapped(left, right, theirs) if t in ours]
    with_tensors = [pair for pair in pairs if all(pair)]
    if not with_tensors:
        raise UsageError(f"--map {left}={right}: these layers have no tensors", fix=LISTED)
    yield from with_tensors


def _tensors_by_name(graph: LayerGraph) -> Mapping[str, Names]:
    """Scopes, layers and tensors with the tensors that they mean."""
    tensors: dict[str, list[str]] = {}
    for layer in graph.layers:
        for name in (*scopes_of((layer.name,)), layer.name):
            tensors.setdefault(name, []).extend(tensor.name for tensor in layer.tensors)
    whole = {name: tuple(inside) for name, inside in tensors.items()}
    return whole | {name: (name,) for name in graph.owner}


def _shows(outcome: _Outcome, theirs: Names, ours: Names) -> bool:
    """Whether a step takes from the source that was named, or an error says why the layer does not."""
    if any(name in theirs for wanted in ours for name in outcome.steps[wanted].sources):
        return True
    owners = {outcome.target.owner[name].name for name in ours}
    is_collision = len(ours) == 1 and outcome.errors.issuperset(ours) and bool(outcome.steps[ours[0]].sources)
    return is_collision or (len(ours) > 1 and not outcome.errors.isdisjoint({*ours, *owners}))


def _why(outcome: _Outcome, given_name: str, wanted_name: str) -> str:
    given, wanted = outcome.source.tensor_by_name[given_name], outcome.target.tensor_by_name[wanted_name]
    if wanted_name in outcome.fresh:
        return f"{wanted_name} cannot be fresh (--fresh) and filled from {given_name}"
    shapes = f"{given_name} has the shape {given.shape}, {wanted_name} has {wanted.shape}"
    others = [t.name for t in outcome.target.tensors if t.size == given.size and t.name != wanted_name]
    fitting = f"; of its size: {listed(others, SHOWN)}" if others else ""
    return f"it cannot be carried out: {shapes}{fitting}"


def _refuse_used(source: LayerGraph, plan: Plan, globs: Iterable[str]) -> None:
    """A glob that names tensors of which every one is used."""
    used = {name: step.target for step in plan.steps for name in step.sources}
    left_over = {entry.source for entry in plan.unused}
    stored = _stored(source)
    for glob in globs:
        names = declared(source, (glob,)) | set(met(glob, stored))
        taken = [name for name in used if name in names]
        if taken and left_over.isdisjoint(names):
            message = f"--unused {glob}: {taken[0]} is not left over, {used[taken[0]]} takes it"
            raise UsageError(message, fix=f"leave it out, or add {option('--fresh', used[taken[0]])}")


def _stored(source: LayerGraph) -> Collection[str]:
    """All that a glob of --unused may name: what is excluded too."""
    return dict.fromkeys((*names_of(source), *(entry.name for entry in source.excluded)))
