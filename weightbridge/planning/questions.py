"""The ambiguous steps of a plan as questions: what names cannot tell and a person can."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import permutations, starmap
from string import ascii_lowercase

from weightbridge.matching.confidence import is_claimed
from weightbridge.plan import Choice, Plan, Question, Step
from weightbridge.plan.answers import answered as carried_out

MOST = 3  # layers that are asked about together; more are asked about one by one
Names = tuple[str, ...]


def questions_of(steps: Sequence[Step]) -> tuple[Question, ...]:
    """One question per group of layers that could change places, asked once for all blocks that are alike."""
    by_template: dict[Names, list[Question]] = {}
    for group in _groups(steps):
        for question in _asked(group):
            by_template.setdefault(_template(question), []).append(question)
    return tuple(_together(same) for same in by_template.values())


def answered(plan: Plan) -> Plan:
    """The plan with its answers carried out: those steps are exact, their questions gone.

    Raises PlanError for an answer that is no choice of its question.
    """
    steps, still_open = carried_out(plan.steps, plan.questions)
    return replace(plan, steps=steps, questions=still_open)


def _groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Doubtful steps that share their candidates: kernel and bias of one layer are one matter."""
    groups: dict[frozenset[str], list[Step]] = {}
    for step in steps:
        if step.sources and step.runners_up and not is_claimed(step.confidence):
            candidates = frozenset(map(layer_of, (step.sources[0], *step.runners_up)))
            groups.setdefault(candidates, []).append(step)
    yield from groups.values()


def _asked(group: Sequence[Step]) -> Iterator[Question]:
    places = _places(group)
    targets = tuple(dict.fromkeys(places.values()))
    candidates = _candidates(group)
    is_together = len(targets) <= MOST and len(candidates) <= MOST
    parts = [targets] if is_together else [(target,) for target in targets]
    for part in parts:
        choices = _choices(part, candidates, [s for s in group if places[s.target] in part], places)
        if len(choices) > 1:
            yield Question(f"which source belongs to {' and to '.join(part)}?", choices[0].label, choices)


def _places(group: Sequence[Step]) -> Mapping[str, str]:
    """The layer of each target tensor; the tensor itself where a layer takes from several, as experts do."""
    sources: dict[str, set[str]] = {}
    for step in group:
        sources.setdefault(layer_of(step.target), set()).add(layer_of(step.sources[0]))
    layers = ((step.target, layer_of(step.target)) for step in group)
    return {name: layer if len(sources[layer]) == 1 else name for name, layer in layers}


def _candidates(group: Sequence[Step]) -> Names:
    """The source layers of the plan, then those that it might be."""
    chosen = [layer_of(step.sources[0]) for step in group]
    others = [layer_of(name) for step in group for name in step.runners_up]
    return tuple(dict.fromkeys((*chosen, *others)))


def _choices(
    targets: Names, candidates: Names, steps: Sequence[Step], places: Mapping[str, str]
) -> tuple[Choice, ...]:
    """Every way of giving each target layer a source layer of its own; what the plan has comes first."""
    now = {places[step.target]: layer_of(step.sources[0]) for step in steps}
    ways = dict.fromkeys([tuple(now[target] for target in targets), *permutations(candidates, len(targets))])
    given = (dict(zip(targets, way, strict=True)) for way in ways)
    possible = filter(
        None, (_sources_at({n: way[p] for n, p in places.items() if p in way}, steps) for way in given)
    )
    return tuple(starmap(Choice, zip(ascii_lowercase, possible, strict=False)))


def _sources_at(layers: Mapping[str, str], steps: Sequence[Step]) -> dict[str, Names] | None:
    """The sources of each step by the layer that it would take from; None where there are none."""
    known = {name for step in steps for name in (*step.sources, *step.runners_up)}
    stacks = {step.sources[0]: step.sources for step in steps}
    sources = {step.target: _moved(step, layers[step.target], stacks) for step in steps}
    return sources if all(names[0] in known for names in sources.values()) else None


def _moved(step: Step, layer: str, stacks: Mapping[str, Names]) -> Names:
    """The step's sources as another layer has them: the same part, or the stack that begins there."""
    part = step.sources[0][len(layer_of(step.sources[0])) :]
    first = layer + part
    if len(step.sources) > 1 and first in stacks:
        return stacks[first]
    return (first,)


def _together(same: Sequence[Question]) -> Question:
    """One question for all blocks: a letter means the same in each."""
    first = same[0]
    more = f" (and so in {len(same) - 1} more blocks)" if len(same) > 1 else ""
    merged = []
    for i, choice in enumerate(first.choices):
        sources: dict[str, Names] = {}
        for question in same:
            sources |= question.choices[i].sources
        merged.append(Choice(choice.label, sources))
    return Question(first.ask + more, first.chosen, tuple(merged))


def _template(question: Question) -> Names:
    """All names of a question in order, without their numbers and counters (`moe_block`, `moe_block_1`)."""
    names = []
    for choice in question.choices:
        names.append(choice.label)
        for target, sources in choice.sources.items():
            names += [target, *sources]
    return tuple(re.sub(r"\d+", "#", re.sub(r"_\d+(?=/|$)", "", name)) for name in names)


@lru_cache(maxsize=1 << 16)
def layer_of(name: str) -> str:
    """`a.b.weight` -> `a.b`, `a/b/kernel` -> `a/b`."""
    cut = max(name.rfind("/"), name.rfind("."))
    return name[:cut] if cut > 0 else name
