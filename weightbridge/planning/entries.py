"""Entries of a plan file -> values: every key there, of the right kind and in range, and all problems named
together.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, prod
from typing import Any, get_args

from weightbridge.adapters.apply.arithmetic import ADAPTERS
from weightbridge.errors import PlanError, RuleError
from weightbridge.model.axes import parse
from weightbridge.plan import Contract, Kind, Step, Unused, UnusedReason
from weightbridge.transforms import TRANSFORMS

Check = Callable[[Any], bool]
SHOWN = 5
LARGEST = 1 << 63


def listed(problems: Sequence[str]) -> str:
    """The first problems, and how many more there are."""
    return "; ".join(problems[:SHOWN]) + (
        f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    )


def head_of(data: Any) -> Mapping[str, Any]:
    """The plan's own object. Raises PlanError where a key is missing, unknown or of the wrong kind."""
    problems = _wrong("the plan", data, HEAD)
    problems = problems or [p for side in ("source", "target") for p in _wrong(side, data[side], SIDE)]
    if problems:
        raise PlanError(listed(problems))
    found: Mapping[str, Any] = data
    return found


def steps_of(entries: Sequence[Any]) -> tuple[Step, ...]:
    """Raises PlanError with the entries that are no steps."""
    problems = [p for n, entry in enumerate(entries) for p in _step_problems(n, entry)]
    if problems:
        raise PlanError(listed(problems))
    return tuple(map(_step, entries))


def _step(entry: Mapping[str, Any]) -> Step:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return Step(**values)


def unused_of_file(entries: Sequence[Any]) -> tuple[Unused, ...]:
    problems = [
        p
        for n, entry in enumerate(entries)
        for p in _wrong(_place("unused", n, entry, "source"), entry, UNUSED)
    ]
    if problems:
        raise PlanError(listed(problems))
    return tuple(Unused(**entry) for entry in entries)


def _step_problems(n: int, entry: Any) -> list[str]:
    place = _place("steps", n, entry, "target")
    problems = _wrong(place, entry, STEP)
    if problems:
        return problems
    if prod(entry["shape"]) != entry["size"]:
        problems.append(
            f"{place}: size is {entry['size']}, expected {prod(entry['shape'])} for the shape {tuple(entry['shape'])}"
        )
    if entry["kind"] == "copy" and entry["transform"]:
        problems.append(
            f"{place}: a copy has no transform, this one has {entry['transform']!r}; say kind 'transform'"
        )
    return problems


def _place(table: str, n: int, entry: Any, key: str) -> str:
    name = entry.get(key) if isinstance(entry, dict) else None
    return f"{table}[{n}] ({name})" if isinstance(name, str) else f"{table}[{n}]"


def _wrong(place: str, value: Any, checks: Mapping[str, tuple[str, Check]]) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: expected an object with {', '.join(checks)}, got {_short(value)}"]
    missing = [f"{place}: the key {key!r} is missing" for key in checks if key not in value]
    unknown = [f"{place}: the key {key!r} is not known" for key in value if key not in checks]
    kinds = [
        f"{place}: {key} is {_short(value[key])}, expected {wanted}"
        for key, (wanted, fits) in checks.items()
        if key in value and not fits(value[key])
    ]
    return missing + unknown + kinds


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:50]}..."


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_list(value: Any, of: Check) -> bool:
    return isinstance(value, list) and all(map(of, value))


def _is_finite(value: Any) -> bool:
    """JSON-like all through, without a number that is none."""
    match value:
        case dict():
            return all(map(_is_finite, value.values()))
        case list():
            return all(map(_is_finite, value))
        case float():
            return isfinite(value)
    return True


def _is_transform(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if "->" not in value:
        return not value or value in TRANSFORMS or value in ADAPTERS
    try:
        parse(value)
    except RuleError:
        return False
    return True


def _one_of(values: Sequence[str]) -> tuple[str, Check]:
    return " or ".join(map(repr, values)), lambda value: isinstance(value, str) and value in values


TEXTS: tuple[str, Check] = ("a list of names", lambda value: _is_list(value, _is_text))
HASH: tuple[str, Check] = ("a hash", _is_text)
HEAD: dict[str, tuple[str, Check]] = {
    "plan_version": ("a number", _is_count),
    "source": ("an object", lambda value: isinstance(value, dict)),
    "target": ("an object", lambda value: isinstance(value, dict)),
    "steps": ("a list", lambda value: isinstance(value, list)),
    "unused": ("a list", lambda value: isinstance(value, list)),
}
SIDE: dict[str, tuple[str, Check]] = {
    "structure": HASH,
    "sha256": ("a hash or null", lambda value: value is None or _is_text(value)),
}
UNUSED: dict[str, tuple[str, Check]] = {
    "source": ("a name", _is_text),
    "reason": _one_of(get_args(UnusedReason)),
}
STEP: dict[str, tuple[str, Check]] = {
    "target": ("a name", _is_text),
    "sources": TEXTS,
    "kind": _one_of(get_args(Kind)),
    "contract": _one_of(get_args(Contract)),
    "shape": ("a list of lengths", lambda value: _is_list(value, _is_count)),
    "size": ("a number of elements", _is_count),
    "transform": ("an axes pattern or the name of a transform", _is_transform),
    "parameters": ("an object of finite values", lambda value: isinstance(value, dict) and _is_finite(value)),
    "confidence": ("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    "evidence": TEXTS,
    "runners_up": TEXTS,
    "energy_kept": ("a number or null", lambda value: value is None or _is_number(value)),
    "cost": ("text", _is_text),
}
