"""What comes from outside, checked by hand: parsed JSON, and the arguments of public functions."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from inspect import signature
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

from weightbridge.boundary.words import did_you_mean
from weightbridge.errors import UsageError

Given = ParamSpec("Given")
Result = TypeVar("Result")
Check = Callable[[Any], bool]
SHOWN = 5
LARGEST = 1 << 63


def strict_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for NaN, infinities and a key that stands twice too."""
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)


def listed(problems: Sequence[str]) -> str:
    """The first problems, and how many more there are."""
    more = len(problems) - SHOWN
    return "; ".join(problems[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def missing_keys(value: Mapping[str, Any], checks: Collection[str]) -> list[str]:
    """The keys that an object should have and has not."""
    return [key for key in checks if key not in value]


def unfit_keys(value: Mapping[str, Any], checks: Mapping[str, Check]) -> list[str]:
    """The keys whose values are of the wrong kind or out of range."""
    return [key for key, fits in checks.items() if key in value and not fits(value[key])]


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_object(value: Any) -> bool:
    return isinstance(value, dict)


def is_list(value: Any) -> bool:
    return isinstance(value, list)


def is_count(value: Any) -> bool:
    """A whole number that is not negative and fits into 63 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def is_fraction(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 1


def is_finite(value: Any) -> bool:
    """JSON-like all through, without NaN and infinities."""
    match value:
        case dict():
            return all(map(is_finite, value.values()))
        case list():
            return all(map(is_finite, value))
        case float():
            return isfinite(value)
    return True


def one_of(values: Collection[str]) -> Check:
    return lambda value: isinstance(value, str) and value in values


def list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def or_null(fits: Check) -> Check:
    return lambda value: value is None or fits(value)


def whole_numbers(value: Any) -> Iterator[int]:
    """All whole numbers of a JSON-like value, at any depth."""
    match value:
        case bool():
            return
        case int():
            yield value
        case list() | tuple():
            yield from (number for item in value for number in whole_numbers(item))
        case dict():
            yield from (number for item in value.values() for number in whole_numbers(item))


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """A JSON-like value and all that it holds, of what has keys."""
    match value:
        case dict():
            yield value
            items = list(value.values())
        case list() | tuple():
            items = list(value)
        case _:
            return
    for item in items:
        yield from objects(item)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One of two equal keys would be dropped in silence."""
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return values


def public(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """The function, with a UsageError in place of Python's TypeError for arguments that it does not take."""
    takes = signature(function)

    @wraps(function)
    def called(*args: Given.args, **options: Given.kwargs) -> Result:
        try:
            bound = takes.bind(*args, **options)
        except TypeError as error:
            fix = _known(options, takes.parameters)
            raise UsageError(f"weightbridge.{function.__name__}: {error}", fix=fix) from error
        for name, value in bound.arguments.items():
            _refuse_null(name, value)
        return function(*args, **options)

    return called


def _known(given: Iterable[str], names: Collection[str]) -> str:
    """The names that a function knows, and the nearest to one that it does not."""
    wrong = next((name for name in given if name not in names), "")
    close = did_you_mean(wrong, names)
    return f"known are {', '.join(names)}{'.' if close else ''}{close}"


def path_of(name: str, value: Any) -> Path:
    """A path that was given as text or Path. Raises UsageError for anything else."""
    if not isinstance(value, str | PathLike):
        raise UsageError(f"{name}={repr(value)[:60]}: expected a path", fix="give a text or a pathlib.Path")
    _refuse_null(name, value)
    return Path(value)


def _refuse_null(name: str, value: Any) -> None:
    if isinstance(value, str | PathLike) and "\0" in str(value):
        raise UsageError(
            f"{name}={repr(value)[:60]}: no path and no name holds a null character", fix="check it"
        )
