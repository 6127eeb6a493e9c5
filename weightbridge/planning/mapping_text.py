"""What a plan is sure of, as the text of a mapping rule for the next checkpoint of the family."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from weightbridge.errors import RuleError
from weightbridge.matching.confidence import is_claimed
from weightbridge.model.axes import solve
from weightbridge.plan import Plan, Step

Shape = tuple[int, ...]
LETTERS = "nmklij"
NUMBER = re.compile(r"\d+")


def mapping_of(plan: Plan, summary: str, shapes: Mapping[str, Shape]) -> str:
    """The text of a rule file. Raises RuleError where the plan is sure of nothing.

    shapes: of the source's tensors.
    """
    sure = [
        s for s in plan.steps if s.sources and s.kind in ("copy", "transform") and is_claimed(s.confidence)
    ]
    if not sure:
        raise RuleError(
            "the plan is sure of no step, so there is nothing to save", fix="answer its questions first"
        )
    entries = dict.fromkeys(json.dumps(table) for table in _tables(sure, shapes))
    lines = [f"summary = {json.dumps(summary)}", ""]
    for entry in entries:
        lines += [
            "[[map]]",
            *(f"{key} = {_toml(value)}" for key, value in json.loads(entry).items() if value),
            "",
        ]
    first = sure[0]
    for fits, sources in ((True, list(first.sources)), (False, [f"{first.sources[0]}.other"])):
        lines += [
            "[[case]]",
            f"source = {_toml(sources)}",
            f"target = {_toml(first.target)}",
            f"fits = {_toml(fits)}",
            "",
        ]
    return "\n".join(lines)


def _tables(steps: Iterable[Step], shapes: Mapping[str, Shape]) -> Iterator[dict[str, Any]]:
    for step in steps:
        sources, target = _generalised(step.sources, step.target)
        entry: dict[str, Any] = {"source": sources, "target": target, "transform": step.transform}
        if not _is_told_by_shapes(step, shapes):
            entry |= {
                "parameters": dict(step.parameters),
                "shapes": [*(shapes[name] for name in step.sources), step.shape],
            }
        yield entry


def _is_told_by_shapes(step: Step, shapes: Mapping[str, Shape]) -> bool:
    """A copy, or a pattern whose lengths follow from any two shapes that fit."""
    if "->" not in step.transform:
        return not step.transform
    return len(step.sources) == 1 and solve(step.transform, shapes[step.sources[0]], step.shape) is not None


def _generalised(sources: Sequence[str], target: str) -> tuple[list[str], str]:
    """Numbers that rise together become variables: the first of source and target the first letter.

    Only where source and target have as many numbers; a stack of experts keeps its own numbers.
    """
    if len(sources) != 1:
        return list(sources), target
    source = sources[0]
    target_numbers, source_numbers = NUMBER.findall(target), NUMBER.findall(source)
    if len(target_numbers) != len(source_numbers) or len(target_numbers) > len(LETTERS):
        return [source], target
    pairs = zip(target_numbers, source_numbers, strict=True)
    offsets = [int(b) - int(a) for a, b in pairs]
    source_slots = map(_slot, LETTERS, offsets)
    target_slots = (f"{{{letter}}}" for letter in LETTERS)
    pattern = NUMBER.sub(lambda _: next(source_slots), source)
    return [pattern], NUMBER.sub(lambda _: next(target_slots), target)


def _slot(letter: str, offset: int) -> str:
    return f"{{{letter}}}" if not offset else f"{{{letter}{offset:+d}}}"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
