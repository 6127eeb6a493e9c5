"""A baseline at work: which findings of a report it accepts, and which of its entries are stale."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from os.path import normpath

from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import CODES, Finding, finding, fingerprints, sorted_findings
from weightbridge.report.baseline.values import STALE, Accepted, Applied
from weightbridge.report.values import Report

# Commands that say all there is to say about a plan; of others an entry may speak that they do not raise.
COMPLETE = frozenset({"check", "plan", "transfer"})
OF_VALUES = frozenset({"WB307", "WB308"})  # `check` reads no values


def accepted_of(
    report: Report, findings: tuple[Finding, ...], entries: Sequence[Accepted], options: Options
) -> Applied:
    """What the entries for this pair of models make of these findings, today."""
    today = datetime.now(UTC).date()
    mine = {one.identity: one for one in entries if one.pair == pair_name(report, options)}
    known = [(found, mine[key]) for found, key in identity(report, findings, options) if key in mine]
    accepted = tuple((found, one) for found, one in known if _counts(one, today))
    taken = {found for found, _ in accepted}
    stale = tuple(_stale(report, mine.values(), {one.identity for _, one in known}, today))
    left = tuple(found for found in findings if found not in taken)
    return Applied((*left, *_said(stale, today, options)), accepted, len(stale))


def of_other_pairs(
    entries: Sequence[Accepted], names: Collection[str], options: Options
) -> tuple[Finding, ...]:
    """WB590 for each entry of a pair that is none of these."""
    lost = [one for one in entries if one.pair not in names]
    return tuple(_said(lost, datetime.now(UTC).date(), options))


def identity(
    report: Report, findings: tuple[Finding, ...], options: Options
) -> Iterator[tuple[Finding, tuple[str, str, str]]]:
    """Each finding with the identity that its entry has."""
    in_order = sorted_findings(findings)
    pair = pair_name(report, options)
    for found, fingerprint in zip(in_order, fingerprints(in_order), strict=True):
        yield found, (pair, found.code, fingerprint)


def pair_name(report: Report, options: Options) -> str:
    """The pair's name in the policy, else the paths of both models."""
    if options.pair or report.pair:
        return options.pair or report.pair
    paths = [side.path for side in (report.source, report.target) if side is not None]
    return options.pairs.get(tuple(map(normpath, paths)), ":".join(paths))


def _counts(one: Accepted, today: date) -> bool:
    return one.until is None or today <= one.until


def _stale(
    report: Report, entries: Iterable[Accepted], met: set[tuple[str, str, str]], today: date
) -> Iterator[Accepted]:
    """Entries without a finding, where this command would have said it; and those whose day is past."""
    if report.verdict == "error" or report.command not in COMPLETE:
        return
    for one in entries:
        is_past = not _counts(one, today)
        can_tell = report.command != "check" or one.code not in OF_VALUES
        if is_past or (can_tell and one.identity not in met):
            yield one


def _said(stale: Sequence[Accepted], today: date, options: Options) -> Iterator[Finding]:
    """WB590 for each: an error where the baseline may only shrink."""
    for one in stale:
        past = f"its last day was {one.until}" if not _counts(one, today) else "there is no such finding"
        message = f"the baseline accepts {one.code} {CODES[one.code].name} of the pair {one.pair}: {past}"
        found = finding(
            STALE,
            message,
            source=one.source,
            target=one.target,
            fix="weightbridge baseline prune takes the entry out",
            about=f"{one.pair} {one.code} {one.fingerprint}",
        )
        yield replace(found, severity="error") if options.baseline_mode == "shrink" else found
