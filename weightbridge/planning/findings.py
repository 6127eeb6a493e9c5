"""What is to be said about a plan: misfits, tensors without a partner, vectors of another role."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256

from weightbridge.boundary.shell import option
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step, Unused
from weightbridge.planning.runs import Names, Run, glob_of, names_of, runs

Steps = Mapping[str, Step]
SHOWN = 8
VECTOR_ROLES = frozenset({"bias", "gamma", "beta", "moving_mean", "moving_variance"})
INTERCHANGEABLE = frozenset({"bias", "beta"})


def misfits(
    source: LayerGraph,
    target: LayerGraph,
    pairs: Iterable[tuple[str, str]],
    settled: Collection[str],
    adapting: Collection[str],
) -> Iterator[Finding]:
    """WB201 for each pair (source, target) of tensors that no exact transform joins.

    settled: names of the target's tensors that need no more be said about. adapting: those that adapters
    would fill without --adapt none.
    """
    for source_name, target_name in pairs:
        if target_name not in settled:
            tensors = source.tensor_by_name[source_name], target.tensor_by_name[target_name]
            yield _misfit(*tensors, adapting)


def unmatched(target: LayerGraph, settled: Collection[str]) -> Iterator[Finding]:
    """One WB202 for each run of neighbouring layers, such as a new head."""
    names = {tensor.name for tensor in target.tensors if tensor.name not in settled}
    known = names_of(target)
    for run in runs(target, names):
        yield _unmatched(known, run)


def mixed_roles(source: LayerGraph, target: LayerGraph, steps: Iterable[Step]) -> Iterator[Finding]:
    """WB208 where a plain copy would put one kind of vector into another."""
    for step in steps:
        if step.transform or len(step.sources) != 1:
            continue
        source_role = source.tensor_by_name[step.sources[0]].role
        target_role = target.tensor_by_name[step.target].role
        roles = {source_role, target_role}
        if len(roles) == 2 and roles <= VECTOR_ROLES and roles != INTERCHANGEABLE:
            message = (
                f"{step.target}: {step.sources[0]} is a {source_role}, and would land in a {target_role}"
            )
            yield finding("WB208", message, source=step.sources[0], target=step.target)


def unexplained(source: LayerGraph, unused: Iterable[Unused], *, is_one: bool = False) -> Iterator[Finding]:
    """One WB203 for each run of neighbouring layers; one for all where the target is built otherwise."""
    names = {entry.source for entry in unused if entry.reason == "unexplained"}
    found = list(runs(source, names))
    if is_one and len(found) > 1:
        found = [{layer: mine for run in found for layer, mine in run.items()}]
    known = names_of(source)
    for run in found:
        yield _unused(known, run)


def _misfit(source: Tensor, target: Tensor, adapting: Collection[str]) -> Finding:
    shapes = f"the source's {source.name} has shape {source.shape}, expected {target.shape}"
    ways = ["leave out --adapt none"] if target.name in adapting else []
    ways += [f"declare it ({option('--fresh', target.name)})", "build the target with the source's shape"]
    return finding(
        "WB201",
        f"{target.name}: {shapes}; no exact transform joins them",
        source=source.name,
        target=target.name,
        fix=f"{', '.join(ways[:-1])}, or {ways[-1]}",
    )


def _unmatched(known: Names, run: Run) -> Finding:
    reason = "no tensor of the source corresponds; left as the target has initialised it"
    glob = glob_of(known, run)
    declare = f"declare it with {option('--fresh', glob)}" if glob else "declare what is meant to be fresh"
    return finding(
        "WB202",
        f"{_named(run)}: {reason}",
        target=_place(run),
        about=_about(run),
        fix=f"{declare}, or say which source it takes",
    )


def _unused(known: Names, run: Run) -> Finding:
    glob = glob_of(known, run) or "*"
    return finding(
        "WB203",
        f"{_named(run)}: nothing in the target uses {'it' if _size(run) == 1 else 'them'}",
        source=_place(run),
        about=_about(run),
        fix=f"declare it with {option('--unused', glob)} if that is right",
    )


def _named(run: Run) -> str:
    """The tensors of one layer; of several, the layers and how many tensors they have."""
    if len(run) == 1:
        return listed([name for names in run.values() for name in names], SHOWN)
    return f"{listed(tuple(run), SHOWN)} ({len(run)} layers, {_size(run)} tensors)"


def _place(run: Run) -> str:
    """The one tensor, or the first layer."""
    first = next(iter(run))
    return run[first][0] if _size(run) == 1 else first


def _about(run: Run) -> str:
    """What else is meant than the place: with one tensor more or less it is another finding."""
    names = [name for mine in run.values() for name in mine]
    return (
        "" if len(names) == 1 else sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    )


def _size(run: Run) -> int:
    return sum(map(len, run.values()))
