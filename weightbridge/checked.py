"""Parsed JSON, checked by hand: what fits, and all that does not, named together."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NoReturn

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
