"""Arguments of the public functions, checked and made into Options."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, get_args

from weightbridge.boundary.checked import is_count, path_of
from weightbridge.boundary.options import (
    NEWEST_OPSET,
    OLDEST_OPSET,
    Adapt,
    Depth,
    Engine,
    Evidence,
    FailOn,
    InputLayout,
    Options,
    Progress,
)
from weightbridge.boundary.words import did_you_mean
from weightbridge.errors import UsageError
from weightbridge.plan import Plan
from weightbridge.report.policy import with_policy

# Of a policy alone.
JUDGING = frozenset({"min_exact", "min_filled", "baseline_mode", "pair", "pairs", "max_examples"})
EXPLICIT = frozenset(
    {"fail_on", "min_coverage", "adapt", "evidence", "baseline"}
)  # those of which it matters who said them


def options_of(given: Mapping[str, Any], *apart: str) -> Options:
    """Options from a function's own arguments; None stands for what was not given."""
    return make_options(
        {name: value for name, value in given.items() if name not in apart and value is not None}
    )


def make_options(given: Mapping[str, Any]) -> Options:
    """Options from keywords: strings become paths, a single glob a tuple, `map` takes a dict or pairs.

    Raises UsageError for a name that no option has, and for a value that an option does not take.
    """
    known = {f.name for f in fields(Options)} - {"explicit", "severities", "hashes"} - JUDGING
    unknown = sorted(set(given) - known)
    if unknown:
        close = did_you_mean(unknown[0], known)
        fix = f"known are {', '.join(sorted(known))}.{close}"
        raise UsageError(f"unknown option {unknown[0]!r}", fix=fix)
    values = {
        name: _CONVERTED[name](name, value) if name in _CONVERTED else value for name, value in given.items()
    }
    return with_policy(Options(**values, explicit=frozenset(given) & EXPLICIT))


def _path_if_any(name: str, value: Any) -> Path | None:
    return None if value is None else path_of(name, value)


def _plan(name: str, value: Any) -> Plan | Path:
    if isinstance(value, Plan | str | PathLike):
        return value if isinstance(value, Plan) else Path(value)
    raise _no(name, value, "a Plan, or the path of one")


def arguments(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise _no(name, value, "a dict of arguments by name")
    return value or {}


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _no(name, value, "True or False")
    return value


def _progress(name: str, value: Any) -> Progress:
    if not callable(value):
        raise _no(name, value, "a function of stage, done and total")
    progress: Progress = value
    return progress


def _strings(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str | PathLike):
        return (str(value),)
    if not isinstance(value, Iterable):
        raise _no(name, value, "a text, or several")
    if not all(isinstance(item, str | PathLike) for item in value):
        raise _no(name, value, "a text, or several")
    return tuple(map(str, value))


def _pairs(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    given = value.items() if isinstance(value, Mapping) else value
    try:
        if not isinstance(given, str):
            return tuple((str(source), str(target)) for source, target in given)
    except (TypeError, ValueError) as error:
        raise _no(name, value, _PAIRS) from error
    raise _no(name, value, _PAIRS)


def choice(*allowed: str) -> Callable[[str, Any], Any]:
    def chosen(name: str, value: Any) -> Any:
        if value not in allowed:
            close = did_you_mean(value, allowed) if isinstance(value, str) else ""
            raise _no(name, value, f"one of {', '.join(allowed)}{'.' if close else ''}{close}")
        return value

    return chosen


def _fraction(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _no(name, value, "a number from 0 to 1")
    return value


def _opset(name: str, value: Any) -> int:
    is_known = isinstance(value, int) and OLDEST_OPSET <= value <= NEWEST_OPSET
    if not is_known or isinstance(value, bool):
        raise _no(name, value, f"a number from {OLDEST_OPSET} to {NEWEST_OPSET}")
    return int(value)


def _shapes(name: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """One shape, or one for each input."""
    try:
        given = tuple(value)
        shapes = (
            (given,)
            if given and not any(isinstance(n, Iterable) for n in given)
            else tuple(map(tuple, given))
        )
    except TypeError as error:
        raise _no(name, value, _SHAPES) from error
    if not all(is_count(n) and n for shape in shapes for n in shape):
        raise _no(name, value, _SHAPES)
    return shapes


def _no(name: str, value: Any, expected: str) -> UsageError:
    return UsageError(
        f"{name}={repr(value)[:60]}: expected {expected}",
        fix="options have the names and values that the commands have",
    )


_SHAPES = "a shape such as (1, 3, 32, 32), or a list of them"
_PAIRS = "a dict {source: target}, or pairs (source, target)"
_CONVERTED: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("policy", "probe", "architecture", "baseline"), _path_if_any),
    **dict.fromkeys(("source_arguments", "target_arguments"), arguments),
    **dict.fromkeys(("disambiguate", "map_words", "dequantize", "verify", "overwrite"), _flag),
    "plan": _plan,
    "progress": _progress,
    **dict.fromkeys(("fresh", "unused"), _strings),
    "rules": lambda name, value: tuple(map(Path, _strings(name, value))),
    "map": _pairs,
    "adapt": choice(*get_args(Adapt)),
    "depth": choice(*get_args(Depth)),
    "fail_on": choice(*get_args(FailOn)),
    "evidence": choice(*get_args(Evidence)),
    "engine": choice(*get_args(Engine)),
    "input_layout": choice(*get_args(InputLayout)),
    "opset": _opset,
    "input_shape": _shapes,
    "min_coverage": _fraction,
}
