"""Another number of blocks, filled by a depth map: which block of the source each of the target's starts as.

`last`: those that are there, then copies of the last one. `stack`: all of them, again and again (Gong et al.
2019). `interlace`: each of them several times in its place (Chang et al. 2018). A target of fewer blocks
takes the first ones, with `interlace` evenly spaced ones.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from weightbridge.adapters.propose.deeper.added_steps import is_added
from weightbridge.adapters.propose.deeper.repeated import Run, like, repeated
from weightbridge.adapters.propose.values import Proposal
from weightbridge.boundary.options import Depth
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.confidence import LOSSY
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import BY_DEPTH, Step

Steps = Mapping[str, Step]
FIX = "treat the result as an initialisation: fine-tune the target"


def by_depth(
    source: LayerGraph, target: LayerGraph, pairs: Collection[LayerPair], steps: Steps, depth: Depth
) -> Proposal:
    """steps: what is planned else; a block's tensors take from another block as they took from theirs.

    Raises UsageError where no run of blocks is longer on one side than on the other.
    """
    runs = [(ours, theirs) for ours, theirs in _joined(source, target, pairs) if _differ(ours, theirs)]
    if not runs:
        raise UsageError(
            f"depth {depth}: no block is repeated in one model more often than in the other",
            fix="leave --depth out: what the target has in addition gets an identity where there is one",
        )
    made = tuple(step for both in runs for step in _mapped(source, *both, steps, depth))
    decided = frozenset(layer.name for ours, _ in runs for block in ours.blocks for layer in block)
    return Proposal(made, tuple(_said(*both, depth) for both in runs), decided=decided)


def giver(depth: Depth, place: int, ours: int, theirs: int) -> int:
    """The source's block, of so many, that the target's block at this place starts as."""
    match depth:
        case "stack":
            return place % theirs
        case "interlace":
            return place * theirs // ours
        case _:
            return min(place, theirs - 1)


def _joined(
    source: LayerGraph, target: LayerGraph, pairs: Collection[LayerPair]
) -> Iterator[tuple[Run, Run]]:
    """Runs of target and source with the most layers that are paired; each is taken once."""
    known = {(pair.target, pair.source) for pair in pairs}
    taken = set[str]()
    ours = [(run, other) for run in repeated(target) for other in like(run, source)]
    theirs = [(other, run) for run in repeated(source) for other in like(run, target)]
    for mine, other in sorted((*ours, *theirs), key=lambda both: -_common(both[0], both[1], known)):
        names = {_name(mine), _name(other)}
        if _common(mine, other, known) and not names & taken:
            taken |= names
            yield mine, other


def _common(ours: Run, theirs: Run, known: Collection[tuple[str, str]]) -> int:
    names = [{layer.name for block in run.blocks for layer in block} for run in (ours, theirs)]
    return sum(target in names[0] and source in names[1] for target, source in known)


def _name(run: Run) -> str:
    return run.blocks[0][0].tensors[0].name + run.blocks[0][0].name


def _differ(ours: Run, theirs: Run) -> bool:
    return len(ours.blocks) != len(theirs.blocks)


def _mapped(source: LayerGraph, ours: Run, theirs: Run, steps: Steps, depth: Depth) -> Iterator[Step]:
    sizes = len(ours.blocks), len(theirs.blocks)
    for place, block in enumerate(ours.blocks):
        number = giver(depth, place, *sizes)
        cost = f"depth by {depth}: block {place + 1} of {sizes[0]} starts as block {number + 1} of {sizes[1]}"
        for n, layer in enumerate(block):
            models = _taken_by(source, ours, theirs, n, steps)
            lender = theirs.blocks[number][n]
            for tensor in layer.tensors:
                if tensor.role in models:
                    yield _step(source, tensor, lender, models[tensor.role], steps.get(tensor.name), cost)


def _step(
    source: LayerGraph, tensor: Tensor, lender: Layer, model: Step, own: Step | None, cost: str
) -> Step:
    """model: how a block takes such a tensor. own: the step that there is, kept where it says the same."""
    given = [lender.tensor(source.tensor_by_name[name].role) for name in model.sources]
    sources = tuple(one.name for one in given if one is not None)
    if own is not None and own.sources == sources and not is_added(own):
        return replace(own, runners_up=(), evidence=(*own.evidence, BY_DEPTH))
    return replace(
        model,
        target=tensor.name,
        sources=sources,
        kind="adapt",
        contract="lossy",
        confidence=min(model.confidence, LOSSY),
        evidence=(BY_DEPTH,),
        runners_up=(),
        cost=f"{cost}; {model.cost}" if model.cost else cost,
    )


def _taken_by(source: LayerGraph, ours: Run, theirs: Run, n: int, steps: Steps) -> Steps:
    """By role, how some block's layer at this place takes from the source's layer at this place."""
    givers = {block[n].name for block in theirs.blocks}
    found: dict[str, Step] = {}
    for tensor in (tensor for block in ours.blocks for tensor in block[n].tensors):
        step = steps.get(tensor.name)
        if step is not None and _takes_from(source, step, givers):
            found.setdefault(tensor.role, step)
    return found


def _takes_from(source: LayerGraph, step: Step, givers: Collection[str]) -> bool:
    is_own = bool(step.sources) and not is_added(step)
    return is_own and all(source.owner[name].name in givers for name in step.sources)


def _said(ours: Run, theirs: Run, depth: Depth) -> Finding:
    sizes = len(ours.blocks), len(theirs.blocks)
    numbers = ", ".join(str(giver(depth, place, *sizes) + 1) for place in range(sizes[0]))
    blocks = "block" if sizes[0] == 1 else f"{sizes[0]} blocks"
    first = ours.blocks[0][0].name
    message = (
        f"depth by {depth}: the {blocks} from {first} on {'starts' if sizes[0] == 1 else 'start'} as "
        f"{numbers} of the source's {sizes[1]}; another function"
    )
    return finding("WB302", message, target=first, fix=FIX)
