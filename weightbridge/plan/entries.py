"""Entries of a plan file <-> values; all problems are named together."""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, get_args

from weightbridge.boundary.checked import (
    Check,
    is_count,
    is_finite,
    is_fraction,
    is_list,
    is_number,
    is_object,
    is_text,
    list_of,
    listed,
    missing_keys,
    one_of,
    or_null,
    unfit_keys,
)
from weightbridge.errors import PlanError
from weightbridge.plan.values import (
    Choice,
    Contract,
    CutPair,
    Fit,
    Kind,
    Question,
    Step,
    Unused,
    UnusedReason,
)

VERSION = 1
Field = tuple[str, Check]  # what is expected, in words, and its check


def head_of(data: Any) -> Mapping[str, Any]:
    """The plan's own object. Raises PlanError where a key is missing, unknown or of the wrong kind."""
    problems = _problems("the plan", data, HEAD)
    if not problems:
        problems = [p for side in ("source", "target") for p in _problems(side, data[side], SIDE)]
    if problems:
        raise PlanError(listed(problems))
    head: Mapping[str, Any] = data
    return head


def steps_of(entries: Sequence[Any]) -> tuple[Step, ...]:
    """Raises PlanError with the entries that are no steps."""
    problems = [problem for n, entry in enumerate(entries) for problem in _step_problems(n, entry)]
    if problems:
        raise PlanError(listed(problems))
    return tuple(map(_step, entries))


def unused_of(entries: Sequence[Any]) -> tuple[Unused, ...]:
    """Raises PlanError with the entries that name no unused tensor."""
    places = [place_of("unused", n, entry, "source") for n, entry in enumerate(entries)]
    pairs = zip(places, entries, strict=True)
    problems = [problem for place, entry in pairs for problem in _problems(place, entry, UNUSED)]
    if problems:
        raise PlanError(listed(problems))
    return tuple(Unused(**entry) for entry in entries)


def questions_of_file(entries: object) -> tuple[Question, ...]:
    """Raises PlanError for entries that are no questions."""
    if not isinstance(entries, list):
        raise PlanError("questions: expected a list")
    return tuple(_question(n, entry) for n, entry in enumerate(entries))


def fit_of(entry: Any) -> Fit:
    """Raises PlanError for an entry that says nothing of a fit."""
    entry = {"control": None, **entry} if isinstance(entry, dict) else entry  # older plans have none
    problems = _problems("fit", entry, FIT)
    if not problems:
        problems = [p for n, cut in enumerate(entry["cuts"]) for p in _problems(f"fit.cuts[{n}]", cut, CUT)]
    if problems:
        raise PlanError(listed(problems))
    return Fit(**{**entry, "cuts": tuple(CutPair(**cut) for cut in entry["cuts"])})


def question_entries(questions: Iterable[Question]) -> list[dict[str, Any]]:
    """The questions as they stand in a plan file."""
    return [
        {"ask": q.ask, "chosen": q.chosen, "answer": q.answer, "choices": _choice_entries(q.choices)}
        for q in questions
    ]


def place_of(table: str, n: int, entry: Any, key: str) -> str:
    """`steps[2] (conv/kernel)`: where an entry stands, with its name where it has one."""
    place = f"{table}[{n}]"
    name = entry.get(key) if isinstance(entry, dict) else None
    return f"{place} ({name})" if isinstance(name, str) else place


def unfit(place: str, key: str, value: Any, expected: str) -> str:
    """The sentence about a value of the wrong kind."""
    return f"{place}: {key} is {_short(value)}, expected {expected}"


def _step_problems(n: int, entry: Any) -> list[str]:
    place = place_of("steps", n, entry, "target")
    problems = _problems(place, entry, STEP)
    if problems:
        return problems
    shape, elements = tuple(entry["shape"]), prod(entry["shape"])
    if elements != entry["size"]:
        size = f"size is {entry['size']}, expected {elements}"
        problems.append(f"{place}: {size} for the shape {shape}")
    if entry["kind"] == "copy" and entry["transform"]:
        has = f"a copy has no transform, this one has {entry['transform']!r}"
        problems.append(f"{place}: {has}; say kind 'transform'")
    return problems


def _step(entry: Mapping[str, Any]) -> Step:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return Step(**values)


def _question(n: int, entry: object) -> Question:
    try:
        assert isinstance(entry, dict)
        choices = tuple(_choice(str(label), sources) for label, sources in entry["choices"].items())
        return Question(str(entry["ask"]), str(entry["chosen"]), choices, str(entry["answer"]))
    except (AssertionError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(f"questions[{n}]: expected an object with ask, chosen, answer and choices") from error


def _choice(label: str, sources: Mapping[Any, Iterable[Any]]) -> Choice:
    return Choice(label, {str(target): tuple(map(str, names)) for target, names in sources.items()})


def _choice_entries(choices: Iterable[Choice]) -> dict[str, Any]:
    return {c.label: {target: list(names) for target, names in c.sources.items()} for c in choices}


def _problems(place: str, value: Any, fields: Mapping[str, Field]) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: expected an object with {', '.join(fields)}, got {_short(value)}"]
    checks = {key: check for key, (_, check) in fields.items()}
    missing = [f"{place}: the key {key!r} is missing" for key in missing_keys(value, fields)]
    unknown = [f"{place}: the key {key!r} is not known" for key in missing_keys(fields, value)]
    kinds = [unfit(place, key, value[key], fields[key][0]) for key in unfit_keys(value, checks)]
    return missing + unknown + kinds


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:50]}..."


def _choice_of(values: Sequence[str]) -> Field:
    return " or ".join(map(repr, values)), one_of(values)


TEXTS: Field = ("a list of names", list_of(is_text))
HEAD: dict[str, Field] = {
    "plan_version": ("a number", is_count),
    "source": ("an object", is_object),
    "target": ("an object", is_object),
    "steps": ("a list", is_list),
    "unused": ("a list", is_list),
}
SIDE: dict[str, Field] = {"structure": ("a hash", is_text), "sha256": ("a hash or null", or_null(is_text))}
UNUSED: dict[str, Field] = {"source": ("a name", is_text), "reason": _choice_of(get_args(UnusedReason))}
CUT: dict[str, Field] = {"target": ("a layer's name", is_text), "source": ("a layer's name", is_text)}
FIT: dict[str, Field] = {
    "inputs": ("a hash", is_text),
    "cuts": ("a list of cuts", is_list),
    "way": ("text", is_text),
    "score": ("a number or null", or_null(is_number)),
    "tried": ("an object of scores", lambda value: is_object(value) and is_finite(value)),
    "control": ("a number or null", or_null(is_number)),
}
STEP: dict[str, Field] = {
    "target": ("a name", is_text),
    "sources": TEXTS,
    "kind": _choice_of(get_args(Kind)),
    "contract": _choice_of(get_args(Contract)),
    "shape": ("a list of lengths", list_of(is_count)),
    "size": ("a number of elements", is_count),
    "transform": ("an axes pattern or the name of a transform", is_text),
    "parameters": ("an object of finite values", lambda value: is_object(value) and is_finite(value)),
    "confidence": ("a number from 0 to 1", is_fraction),
    "evidence": TEXTS,
    "runners_up": TEXTS,
    "energy_kept": ("a number or null", or_null(is_number)),
    "cost": ("text", is_text),
}
