"""WB204: one finding for each question of a plan, with the ways to answer it."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os.path import commonprefix

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.confidence import is_claimed
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Choice, Question, Step

AMBIGUOUS = "WB204"
SHOWN = 3
LONGEST = 1200  # signs of a map that is still an advice
_NUMBER = re.compile(r"\d+")
_SIGNS = re.compile(r"[*?\[\]{},=']|[^ -~]")
Pairs = Sequence[tuple[str, str]]  # source and target tensors


def ambiguities(
    said: Iterable[Finding], questions: Sequence[Question], steps: Iterable[Step], target: LayerGraph
) -> Iterator[Finding]:
    """The questions, and what matching found ambiguous that none of them asks, once for all blocks alike.

    said: all findings so far; those that a question covers, and those about tensors that stay fresh, are
    moot.
    """
    by_target = {step.target: step for step in steps}
    yield from asked(questions, by_target)
    settled = {target.owner[name].name for q in questions for name in q.choices[0].sources}
    settled |= {layer.name for layer in target.layers if not _has_source(by_target, layer.name, target)}
    left = [found for found in said if found.code == AMBIGUOUS and not _is_at(found.target, settled, target)]
    for group in _alike(left):
        yield _once(group, by_target, target)


def asked(
    questions: Iterable[Question], steps: Mapping[str, Step], *, is_stored: bool = False
) -> Iterator[Finding]:
    """A finding for each question. is_stored: they stand in a file, which is the one place to answer them."""
    for question in questions:
        chosen = _chosen(question)
        name, sources = next(iter(chosen.sources.items()))
        yield finding(
            AMBIGUOUS,
            f"{question.ask} The plan has {_shown(chosen)}{_decided(steps.get(name))}; {_others(question)}",
            source=sources[0],
            target=name,
            fix=_ways(question, chosen, is_stored),
        )


def without_asked(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings but those of ambiguities."""
    return (found for found in findings if found.code != AMBIGUOUS)


def _has_source(steps: Mapping[str, Step], layer: str, target: LayerGraph) -> bool:
    return any(steps[tensor.name].sources for tensor in target.by_name[layer].tensors if tensor.name in steps)


def _is_at(place: str, layers: Collection[str], target: LayerGraph) -> bool:
    owner = target.owner.get(place)
    return place in layers or (owner is not None and owner.name in layers)


def _alike(findings: Iterable[Finding]) -> Iterable[Sequence[Finding]]:
    """The findings about sources that differ in numbers alone: the parts of one matrix, in all blocks."""
    alike: dict[str, list[Finding]] = {}
    for found in findings:
        alike.setdefault(_NUMBER.sub("#", found.source), []).append(found)
    return alike.values()


def _once(group: Sequence[Finding], steps: Mapping[str, Step], target: LayerGraph) -> Finding:
    first = group[0]
    more = f" (and so in {len(group) - 1} more places)" if len(group) > 1 else ""
    layers = dict.fromkeys(_owner(found.target, target) for found in group)
    doubtful = [steps[tensor.name] for name in layers if name for tensor in target.by_name[name].tensors]
    pairs = [(s.sources, s.target) for s in doubtful if s.sources and not is_claimed(s.confidence)]
    maps = _maps(pairs)
    fix = f"where the plan is right, say {maps}" if maps else first.fix
    return replace(first, message=first.message + more, fix=fix)


def _owner(place: str, target: LayerGraph) -> str:
    owner = target.owner.get(place)
    return owner.name if owner is not None else place if place in target.by_name else ""


def _chosen(question: Question) -> Choice:
    return next((c for c in question.choices if c.label == question.chosen), question.choices[0])


def _shown(choice: Choice) -> str:
    pairs = [f"{target} <- {', '.join(names[:2])}" for target, names in choice.sources.items()]
    return f"({choice.label}) {'; '.join(pairs[:SHOWN])}{', ...' if len(pairs) > SHOWN else ''}"


def _decided(step: Step | None) -> str:
    if step is None or not step.evidence:
        return ""
    return f", by {' and '.join(step.evidence)} (confidence {step.confidence:g})"


def _others(question: Question) -> str:
    """The other answers, by the first tensor that they give another source."""
    chosen = _chosen(question)
    texts = []
    for choice in question.choices:
        changed = [(t, names) for t, names in choice.sources.items() if names != chosen.sources.get(t)]
        if changed:
            target, names = changed[0]
            texts.append(f"({choice.label}) {target} <- {', '.join(names[:2])}")
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return f"as well could be {'; '.join(texts[:SHOWN])}{more}"


def _ways(question: Question, chosen: Choice, is_stored: bool) -> str:
    letters = ", ".join(choice.label for choice in question.choices[:SHOWN])
    more = ", ..." if len(question.choices) > SHOWN else ""
    answer = f"write the letter of the right one ({letters}{more}) as its answer into the plan file"
    maps = "" if is_stored else _maps((names, target) for target, names in chosen.sources.items())
    return f"{answer}; or, where the plan is right, say {maps}" if maps else answer


def _maps(chosen: Iterable[tuple[Sequence[str], str]]) -> str:
    """Sources and target of some steps as options; "" where they would be too long, or cannot say it."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    stacks: list[tuple[Sequence[str], str]] = []
    for names, target in chosen:
        if len(names) > 1:
            stacks.append((names, target))
            continue
        groups.setdefault((_NUMBER.sub("#", names[0]), _NUMBER.sub("#", target)), []).append(
            (names[0], target)
        )
    if not all(map(_is_plain, groups.values())) or not all(_is_plain_stack(*stack) for stack in stacks):
        return ""
    maps = [*map(_map_of, groups.values()), *(f"{_together(names)}={target}" for names, target in stacks)]
    text = " ".join(f"--map '{text}'" for text in maps)
    return text if len(text) <= LONGEST else ""


def _is_plain(pairs: Pairs) -> bool:
    """Whether every source is named once, and no name has signs of globs."""
    sources = [source for source, _ in pairs]
    return len(set(sources)) == len(sources) and not any(
        _SIGNS.search(name) for pair in pairs for name in pair
    )


def _is_plain_stack(names: Sequence[str], target: str) -> bool:
    return _is_plain([(name, target) for name in names])


def _map_of(pairs: Pairs) -> str:
    sources, targets = zip(*pairs, strict=True)
    return f"{_together(sources)}={_together(targets)}"


def _together(names: Sequence[str]) -> str:
    """`a.0.w`, `a.1.w` -> `a.{0,1}.w`; the parts stand in the names' order."""
    if len(names) == 1:
        return names[0]
    start = commonprefix(names)  # noqa: RUF071  # letters, not paths
    rests = [name[len(start) :] for name in names]
    end = commonprefix([rest[::-1] for rest in rests])[::-1]  # noqa: RUF071  # letters, not paths
    parts = [rest[: len(rest) - len(end)] for rest in rests]
    return f"{start}{{{_counted(parts) or ','.join(parts)}}}{end}"


def _counted(parts: Sequence[str]) -> str:
    """`0`, `1`, `2` -> `0..2`."""
    if len(parts) < SHOWN or not all(part.isdigit() for part in parts):
        return ""
    numbers = [int(part) for part in parts]
    is_run = numbers == list(range(numbers[0], numbers[0] + len(numbers))) and parts == [
        str(n) for n in numbers
    ]
    return f"{numbers[0]}..{numbers[-1]}" if is_run else ""
