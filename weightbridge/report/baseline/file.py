"""A baseline's file: JSON with an entry a line, sorted, so that a review sees what was added."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from weightbridge.boundary.checked import (
    Check,
    is_text,
    listed,
    missing_keys,
    one_of,
    strict_json,
    unfit_keys,
)
from weightbridge.boundary.words import did_you_mean
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import CODES
from weightbridge.report.baseline.values import Accepted, is_acceptable, why_not

VERSION = 1
LARGEST = 64 << 20
FIX = "Write entries with `weightbridge baseline add` alone"


def load_baseline(path: Path, *, is_optional: bool = False) -> tuple[Accepted, ...]:
    """The entries. is_optional: whether a file that is not there yet has none.

    Raises UsageError with all that is wrong in the file.
    """
    try:
        if is_optional and not path.exists():
            return ()
        if path.stat().st_size > LARGEST:
            raise UsageError("too large for a baseline", where=str(path), fix=FIX)
        return loads(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        message = f"the baseline cannot be read: {error.strerror}"
        raise UsageError(message, where=str(path), fix="`weightbridge baseline add` makes one") from error
    except UnicodeDecodeError as error:
        raise UsageError("the baseline is no UTF-8 text", where=str(path), fix=FIX) from error


def loads(text: str, where: str) -> tuple[Accepted, ...]:
    """The entries of a file's text."""
    try:
        data = strict_json(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the baseline is no JSON: {error}", where=where, fix=FIX) from error
    wrong = _problems(data)
    if wrong:
        raise UsageError(listed(wrong), where=where, fix=FIX)
    return tuple(_accepted(entry) for entry in data["accepted"])


def dumps(entries: Iterable[Accepted]) -> str:
    """The text of a file."""
    lines = [f"  {json.dumps(_entry(one))}" for one in sorted(entries, key=lambda one: one.order)]
    table = ",\n".join(lines)
    inner = f"[\n{table}\n ]" if lines else "[]"
    return f'{{\n "schema_version": {VERSION},\n "accepted": {inner}\n}}\n'


def _entry(one: Accepted) -> dict[str, str | None]:
    names = ("pair", "code", "source", "target", "fingerprint", "reason")
    return {**{name: getattr(one, name) for name in names}, "until": one.until and one.until.isoformat()}


def _accepted(entry: Mapping[str, Any]) -> Accepted:
    until = entry["until"]
    return Accepted(**{**entry, "until": until and date.fromisoformat(until)})


def _problems(data: Any) -> list[str]:
    if not isinstance(data, dict) or data.get("schema_version") != VERSION:
        return [f"expected an object with schema_version {VERSION}"]
    unknown = [f"unknown key {key!r}" for key in data if key not in ("schema_version", "accepted")]
    entries = data.get("accepted")
    if unknown or not isinstance(entries, list):
        return unknown or ["accepted: expected a list of entries"]
    wrong = [problem for n, entry in enumerate(entries) for problem in _wrong(f"accepted[{n}]", entry)]
    return wrong or _repeated(entries)


def _repeated(entries: list[dict[str, Any]]) -> list[str]:
    counts = Counter((one["pair"], one["code"], one["fingerprint"]) for one in entries)
    return [f"{' '.join(one)} stands {count} times" for one, count in counts.items() if count > 1]


def _wrong(place: str, entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{place}: expected an object"]
    unknown = [
        f"{place}: unknown key {key!r}.{did_you_mean(key, _ENTRY)}" for key in entry if key not in _ENTRY
    ]
    missing = [f"{place} has no {key}" for key in missing_keys(entry, _ENTRY)]
    unfit = [
        f"{place}.{key} is {str(entry[key])[:40]!r}, expected {_EXPECTED.get(key, 'text')}"
        for key in unfit_keys(entry, _ENTRY)
    ]
    refused = (
        [] if missing or unfit or is_acceptable(entry["code"]) else [f"{place}: {why_not(entry['code'])}"]
    )
    return [*unknown, *missing, *unfit, *refused]


def _is_reason(value: Any) -> bool:
    return is_text(value) and bool(value.strip())


def _is_day(value: Any) -> bool:
    if value is None:
        return True
    try:
        return is_text(value) and bool(date.fromisoformat(value))
    except ValueError:
        return False


_ENTRY: dict[str, Check] = {
    "pair": is_text,
    "code": one_of(CODES),
    **dict.fromkeys(("source", "target", "fingerprint"), is_text),
    "reason": _is_reason,
    "until": _is_day,
}
_EXPECTED = {
    "code": "a code such as WB203",
    "reason": "why it is accepted",
    "until": "a day such as 2027-06-30, or null",
}
