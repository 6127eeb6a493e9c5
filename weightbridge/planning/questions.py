"""What names cannot tell and a person can: the ambiguous steps of a plan as questions with lettered answers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import permutations
from string import ascii_lowercase

from weightbridge.diagnostics import Finding, finding
from weightbridge.matching.confidence import is_claimed
from weightbridge.plan import Choice, Plan, Question, Step
from weightbridge.plan.answers import answered as carried_out

MOST = 3  # layers that are asked about together; more are asked about one by one
Names = tuple[str, ...]


def questions_of(steps: Sequence[Step]) -> tuple[Question, ...]:
    """One question per group of layers that could change places, asked once for all blocks in which it is the
    same.
    """
    found: dict[tuple[str, ...], list[Question]] = {}
    for group in _groups(steps):
        for question in _asked(group):
            found.setdefault(_template(question), []).append(question)
    return tuple(_together(same) for same in found.values())


def answered(plan: Plan) -> Plan:
    """The plan with its answers carried out: those steps are exact, their questions gone.

    Raises PlanError for an answer that is no choice of its question.
    """
    steps, still_open = carried_out(plan.steps, plan.questions)
    return replace(plan, steps=steps, questions=still_open)


def _groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Doubtful steps that share their candidates, layer by layer: kernel and bias of one layer are one
    matter.
    """
    groups: dict[frozenset[str], list[Step]] = {}
    for step in steps:
        if step.sources and step.runners_up and not is_claimed(step.confidence):
            groups.setdefault(frozenset(map(layer_of, (step.sources[0], *step.runners_up))), []).append(step)
    yield from groups.values()


def _asked(group: Sequence[Step]) -> Iterator[Question]:
    targets = tuple(dict.fromkeys(layer_of(s.target) for s in group))
    candidates = tuple(
        dict.fromkeys(
            [*(layer_of(s.sources[0]) for s in group), *(layer_of(n) for s in group for n in s.runners_up)]
        )
    )
    parts = [targets] if len(targets) <= MOST >= len(candidates) else [(t,) for t in targets]
    for part in parts:
        own = [s for s in group if layer_of(s.target) in part]
        choices = tuple(_choices(part, candidates, own))
        if len(choices) > 1:
            yield Question(f"which source belongs to {' and to '.join(part)}?", choices[0].label, choices)


def _choices(targets: Names, candidates: Names, steps: Sequence[Step]) -> Iterator[Choice]:
    """Every way of giving each target layer a source layer of its own; what the plan has comes first."""
    known = {name for s in steps for name in (*s.sources, *s.runners_up)}
    stacks = {s.sources[0]: s.sources for s in steps}
    now = {layer_of(s.target): layer_of(s.sources[0]) for s in steps}
    ways = [tuple(now[t] for t in targets), *permutations(candidates, len(targets))]
    labels = iter(ascii_lowercase)
    for way in dict.fromkeys(ways):
        place = dict(zip(targets, way, strict=True))
        sources = {s.target: _moved(s, place[layer_of(s.target)], stacks) for s in steps}
        if all(names[0] in known for names in sources.values()):
            label = next(labels, None)
            if label is None:
                return
            yield Choice(label, sources)


def _moved(step: Step, layer: str, stacks: Mapping[str, Names]) -> Names:
    """The step's sources as another layer has them: the same part of its name, or the whole stack that begins
    there.
    """
    first = layer + step.sources[0][len(layer_of(step.sources[0])) :]
    if len(step.sources) > 1 and first in stacks:
        return stacks[first]
    return (first,)


def _together(same: Sequence[Question]) -> Question:
    """One question for all blocks: a letter means the same in each."""
    first = same[0]
    more = f" (and so in {len(same) - 1} more blocks)" if len(same) > 1 else ""
    merged = tuple(
        Choice(choice.label, {t: n for q in same for t, n in q.choices[i].sources.items()})
        for i, choice in enumerate(first.choices)
    )
    return Question(first.ask + more, first.chosen, merged)


def _template(question: Question) -> tuple[str, ...]:
    names = [
        name
        for c in question.choices
        for name in (c.label, *(n for target, sources in c.sources.items() for n in (target, *sources)))
    ]
    return tuple(re.sub(r"\d+", "#", name) for name in names)


@lru_cache(maxsize=1 << 16)
def layer_of(name: str) -> str:
    """`a.b.weight` -> `a.b`, `a/b/kernel` -> `a/b`."""
    cut = max(name.rfind("/"), name.rfind("."))
    return name[:cut] if cut > 0 else name


def asked(questions: Iterable[Question]) -> tuple[Finding, ...]:
    """What a plan's file leaves open is said again."""
    return tuple(
        finding(
            "WB204",
            f"{q.ask} The plan has {_shown(q)}",
            target=next(iter(q.choices[0].sources), ""),
            fix="answer it in the plan file",
        )
        for q in questions
    )


def _shown(question: Question) -> str:
    now: Choice = next((c for c in question.choices if c.label == question.chosen), question.choices[0])
    target, names = next(iter(now.sources.items()))
    return f"({now.label}) {target} <- {', '.join(names[:2])}"
