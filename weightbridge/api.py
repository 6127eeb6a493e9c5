"""The public functions, with options by the command's names.

On either side stands a path, `py:module:callable` or a live keras.Model.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, get_args

from weightbridge import formats
from weightbridge.commands.check import check as check_command
from weightbridge.commands.inspect import inspect as inspect_command
from weightbridge.commands.live import transfer_live
from weightbridge.commands.plan import hashed_plan
from weightbridge.commands.transfer import transfer as transfer_command
from weightbridge.commands.verify import verify as verify_command
from weightbridge.errors import UsageError
from weightbridge.model.graph import LayerGraph
from weightbridge.options import Adapt, Evidence, FailOn, Options
from weightbridge.plan import Plan
from weightbridge.report.values import Report


def read(model: Any, **arguments: Any) -> LayerGraph:
    """The layer graph of a model; headers only. `arguments` go to the callable of `py:module:callable`.

    Raises a ModelError for anything that cannot be read.
    """
    return formats.read(model, arguments)


def inspect(model: Any, **options: Any) -> Report:
    """What a model is made of; headers only."""
    return inspect_command(model, make_options(options))


def check(source: Any, target: Any, **options: Any) -> Report:
    """Match, plan and report; writes nothing."""
    return check_command(source, target, make_options(options))


def plan(source: Any, target: Any, **options: Any) -> Plan:
    """The plan that `transfer` would carry out.

    `plan.save(path)` writes it as a lockfile, with the hashes of both models.
    """
    return hashed_plan(source, target, make_options(options))


def transfer(source: Any, target: Any, output: str | Path | None = None, **options: Any) -> Report:
    """Plan, transfer and verify: into the file `output`, or in place into a live model.

    In place it is all or nothing: on a failure, or a verdict that is no pass, the model has its old values.
    """
    made = make_options(options)
    if output is not None:
        return transfer_command(source, target, _path("output", output), made)
    if isinstance(target, str | Path):
        raise UsageError(
            "a target that is a file needs an output", fix="say output=PATH, or give a live keras.Model"
        )
    return transfer_live(source, target, made)


def verify(a: Any, b: Any, **options: Any) -> Report:
    """Run both on the same probes, compare outputs and every matched layer."""
    return verify_command(a, b, make_options(options))


def make_options(given: Mapping[str, Any]) -> Options:
    """Options from keywords: strings become paths, a single glob a tuple, `map` takes a dict or pairs.

    Raises UsageError for a name that no option has, and for a value that an option does not take.
    """
    if given.get("adapt") == "fit" or given.get("calibrate") is not None:
        raise UsageError(
            "adapt='fit' is not in this version yet", fix="use adapt='weights', which needs no data"
        )
    known = {f.name for f in fields(Options)} - {"explicit", "severities"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise UsageError(f"unknown option {unknown[0]!r}", fix=f"known are {', '.join(sorted(known))}")
    values = {
        name: _CONVERTED[name](name, value) if name in _CONVERTED else value for name, value in given.items()
    }
    return Options(**values, explicit=frozenset(given) & {"fail_on", "min_coverage"})


def _path(name: str, value: Any) -> Path:
    if not isinstance(value, str | PathLike):
        raise _no(name, value, "a path")
    return Path(value)


def _path_if_any(name: str, value: Any) -> Path | None:
    return None if value is None else _path(name, value)


def _strings(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str | PathLike):
        return (str(value),)
    if not isinstance(value, Iterable):
        raise _no(name, value, "a text, or several")
    return tuple(str(v) for v in value)


def _pairs(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    given = value.items() if isinstance(value, Mapping) else value
    try:
        if not isinstance(given, str):
            return tuple((str(source), str(target)) for source, target in given)
    except (TypeError, ValueError) as error:
        raise _no(name, value, _PAIRS) from error
    raise _no(name, value, _PAIRS)


def _choice(*allowed: str) -> Callable[[str, Any], Any]:
    def chosen(name: str, value: Any) -> Any:
        if value not in allowed:
            raise _no(name, value, f"one of {', '.join(allowed)}")
        return value

    return chosen


def _fraction(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _no(name, value, "a number from 0 to 1")
    return value


def _no(name: str, value: Any, expected: str) -> UsageError:
    return UsageError(
        f"{name}={repr(value)[:60]}: expected {expected}",
        fix="options have the names and values that the commands have",
    )


_PAIRS = "a dict {source: target}, or pairs (source, target)"
_CONVERTED: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("plan", "policy", "probe"), _path_if_any),
    **dict.fromkeys(("fresh", "unused"), _strings),
    "rules": lambda name, value: tuple(map(Path, _strings(name, value))),
    "map": _pairs,
    "adapt": _choice(*get_args(Adapt)),
    "fail_on": _choice(*get_args(FailOn)),
    "evidence": _choice(*get_args(Evidence)),
    "min_coverage": _fraction,
}
