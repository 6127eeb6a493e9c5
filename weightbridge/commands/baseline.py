"""baseline: findings accepted with a reason, entries that no longer apply taken out, additions named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from weightbridge.boundary.files import write_text
from weightbridge.boundary.options import Options
from weightbridge.commands.check import check
from weightbridge.commands.pairs import options_of
from weightbridge.commands.stages.prepare import measured, prepare
from weightbridge.commands.stages.reporting import judged
from weightbridge.errors import UsageError, WeightbridgeError
from weightbridge.report.baseline import Accepted, dumps, identity, is_acceptable, load_baseline, why_not
from weightbridge.report.baseline.apply import OF_VALUES
from weightbridge.report.policy import Pair, pair_of_files
from weightbridge.report.values import Report

Identity = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Because:
    """Why findings of a code are accepted, and the last day on which they are."""

    code: str
    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a baseline: entries that were added or removed, how many there are now, and what could
    not be told.
    """

    entries: tuple[Accepted, ...]
    total: int
    untold: tuple[str, ...] = ()


def add(source: Any, target: Any, why: Because, file: Path, options: Options, pair: Pair | None) -> Changed:
    """Accept all findings of one code. pair: what the policy says of these models.

    Raises UsageError for a code that cannot be accepted or has no finding, a reason that says nothing, and a
    day that is past.
    """
    _check(why)
    report, own = _findings(source, target, why.code in OF_VALUES, options, pair)
    found = [key for key in identity(report, report.findings, own) if key[0].code == why.code]
    if not found:
        codes = ", ".join(sorted({one.code for one in report.findings})) or "none"
        fix = "Only what is found can be accepted"
        raise UsageError(f"no finding has the code {why.code}; there are: {codes}", fix=fix)
    before = load_baseline(file, is_optional=True)
    entries = {one.identity: one for one in before}
    new = {
        key: Accepted(key[0], key[1], said.source, said.target, key[2], why.reason.strip(), why.until)
        for said, key in found
    }
    _write(file, {**entries, **new}.values())
    return Changed(tuple(new.values()), len({**entries, **new}))


def prune(file: Path, pairs: Sequence[Pair], is_all: bool, options: Options) -> Changed:
    """Take out the entries of these pairs that have no finding any more, or whose day is past.

    is_all: whether there are no other pairs, so that entries of others are stale.
    """
    before = load_baseline(file)
    alive, untold = _still_found(before, {pair.name: pair for pair in pairs}, is_all, options)
    today = datetime.now(UTC).date()
    kept = [one for one in before if one.identity in alive and (one.until is None or today <= one.until)]
    if len(kept) < len(before):
        _write(file, kept)
    return Changed(tuple(one for one in before if one not in kept), len(kept), untold)


def added(now: Iterable[Accepted], before: Iterable[Accepted]) -> tuple[Accepted, ...]:
    """The entries that are new, and those that hold for longer than they did."""
    days = {one.identity: one.until or date.max for one in before}
    return tuple(one for one in now if (one.until or date.max) > days.get(one.identity, date.min))


def _check(why: Because) -> None:
    if not is_acceptable(why.code):
        raise UsageError(why_not(why.code))
    if not why.reason.strip():
        fix = "Say why it is right as it is: --reason TEXT"
        raise UsageError("a finding is accepted for a reason, and there is none", fix=fix)
    if why.until is not None and why.until < datetime.now(UTC).date():
        raise UsageError(f"--until {why.until}: that day is past", fix="Give a day to come, or none")


def _findings(
    source: Any, target: Any, with_values: bool, options: Options, pair: Pair | None
) -> tuple[Report, Options]:
    """What is found without the baseline."""
    own = options if pair is None else options_of(pair, options)
    own = replace(own, baseline_mode="off")
    if not with_values:
        return check(source, target, own), own
    return judged("plan", measured(prepare(source, target, own), own), own), own


def _still_found(
    entries: Sequence[Accepted], pairs: Mapping[str, Pair], is_all: bool, options: Options
) -> tuple[set[Identity], tuple[str, ...]]:
    """The identities of entries that stay, and why the others of a pair could not be told."""
    alive, untold = set[Identity](), list[str]()
    by_pair: dict[str, list[Accepted]] = {}
    for one in entries:
        by_pair.setdefault(one.pair, []).append(one)
    for name, mine in by_pair.items():
        try:
            alive |= _alive(mine, pairs.get(name) or pair_of_files(name), is_all, options)
        except WeightbridgeError as error:
            untold.append(f"{name}: {error}")
            alive |= {one.identity for one in mine}
    return alive, tuple(untold)


def _alive(mine: Sequence[Accepted], pair: Pair | None, is_all: bool, options: Options) -> set[Identity]:
    """The identities of what is still found, and of what cannot be told without the models."""
    if pair is None:
        return set() if is_all else {one.identity for one in mine}
    with_values = any(one.code in OF_VALUES for one in mine)
    report, own = _findings(pair.source, pair.target, with_values, options, pair)
    return {key for _, key in identity(report, report.findings, own)}


def _write(file: Path, entries: Iterable[Accepted]) -> None:
    write_text(file, dumps(entries), overwrite=True)
