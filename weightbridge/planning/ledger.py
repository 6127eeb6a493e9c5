"""The ledger of sources: one tensor feeds one target, unless a model ties them or the user says so."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from weightbridge.boundary.shell import option
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Step

Steps = Mapping[str, Step]
SAID_BY_USER = frozenset({"map", "rule"})
TIED = "tied"
SHOWN = 5
# what reads a part of a tensor, or computes with it beside the tensor's own counterpart
PARTIAL = frozenset({"split", "slice", "select", "fold-batchnorm", "affine", "batchnorm-gamma", "constant"})


def without_second_uses(
    source: LayerGraph, target: LayerGraph, steps: Steps
) -> tuple[dict[str, Step], tuple[Finding, ...]]:
    """The steps that may stay, and WB202 for those that would write a tensor already spent elsewhere.

    Of several targets of one whole source tensor the surest stays, where one is surer than the rest.
    """
    left = dict(steps)
    findings: list[Finding] = []
    for name, users in _spent_twice(source, target, steps).items():
        refused = _refused(users)
        for step in refused:
            left.pop(step.target, None)
        findings.append(_said(name, users, refused))
    return left, tuple(findings)


def _spent_twice(source: LayerGraph, target: LayerGraph, steps: Steps) -> dict[str, list[Step]]:
    """The source tensors that several steps read whole, with these steps, where nothing allows it."""
    tied = _tied(source)
    users = _users(steps, _tied(target))
    return {name: reading for name, reading in users.items() if len(reading) > 1 and name not in tied}


def _users(steps: Steps, tied_targets: Collection[str]) -> dict[str, list[Step]]:
    """The steps that read each source tensor whole, but for those that may share it."""
    users: dict[str, list[Step]] = {}
    for step in steps.values():
        may_share = step.transform in PARTIAL or step.target in tied_targets or _is_said(step)
        names = () if may_share else step.sources
        for name in names:
            users.setdefault(name, []).append(step)
    return users


def _is_said(step: Step) -> bool:
    """Whether the user has said so, or a tie of layers, which has a finding of its own."""
    return TIED in step.evidence or not SAID_BY_USER.isdisjoint(step.evidence)


def _tied(graph: LayerGraph) -> frozenset[str]:
    """The tensors that several layers of a graph read."""
    return frozenset(name for layer in graph.layers for name in _shared(graph, layer.name))


def _shared(graph: LayerGraph, layer_name: str) -> Iterator[str]:
    layer = graph.by_name[layer_name]
    ties = layer.attributes.get("tied")
    if isinstance(ties, Mapping):
        yield from map(str, ties.values())
        yield from (tensor.name for tensor in layer.tensors if tensor.role in ties)
    first = graph.by_name.get(str(layer.attributes.get("shared_with")))
    if first is not None:
        yield from (tensor.name for tensor in first.tensors)


def _refused(users: Sequence[Step]) -> list[Step]:
    best = max(step.confidence for step in users)
    surest = [step for step in users if step.confidence == best]
    kept = surest if len(surest) == 1 else []
    return [step for step in users if step not in kept]


def _said(name: str, users: Sequence[Step], refused: Sequence[Step]) -> Finding:
    targets = listed([step.target for step in users], SHOWN)
    lost = listed([step.target for step in refused], SHOWN)
    return finding(
        "WB202",
        f"{lost}: the one tensor {name} of the source would fill each of {targets}, "
        "which the target does not tie; left as the target has initialised it",
        source=name,
        target=refused[0].target,
        fix=f"say where it belongs: {option('--map', f'{name}={users[0].target}')}",
    )
