"""The ledger of a digest: exact, adapted, fresh and kept, and what became of the source's tensors."""

from collections import Counter

from weightbridge.plan.values import SHARE_OF, Share
from weightbridge.report.digest.values import Json, LedgerRow
from weightbridge.report.words import counted

SHARES: tuple[Share, ...] = ("exact", "adapted", "fresh", "kept")
REASONS = {
    "unexplained": "without a place",
    "declared": "left over on purpose",
    "optimizer": "of the optimizer",
    "state": "of other state",
}


def ledger(report: Json) -> tuple[LedgerRow, ...]:
    """A row for each share that has a tensor; none for `verify`, where nothing was transferred."""
    if report["command"] == "verify":
        return ()
    rows = (_row(share, report) for share in SHARES)
    return tuple(row for row in rows if row.tensors)


def used(report: Json) -> str:
    """What became of the source's tensors; nothing where there is no plan."""
    coverage = report["coverage"]
    if report["command"] == "verify" or not coverage["source_tensors"]:
        return ""
    taken, stored = coverage["source_tensors_used"], coverage["source_tensors"]
    reasons = Counter(entry["reason"] for entry in report["unused"])
    rest = ", ".join(f"{reasons[key]:,} {words}" for key, words in REASONS.items() if reasons[key])
    return f"{taken:,} of {counted(stored, 'tensor')} used" + (f"; {rest}" if rest else "")


def _row(share: Share, report: Json) -> LedgerRow:
    coverage, steps = report["coverage"], report["steps"]
    parts = ("copied", "transformed") if share == "exact" else (share,)
    parameters = sum(coverage[part] for part in parts)
    mine = [step for step in steps if SHARE_OF[step["kind"]] == share]
    fraction = parameters / coverage["parameters"] if coverage["parameters"] else 0.0
    return LedgerRow(share, fraction, parameters, len(mine), len(steps), _meaning(share, mine))


def _meaning(share: Share, steps: list[Json]) -> str:
    contracts = {step["contract"] for step in steps}
    match share:
        case "exact":
            return "bit by bit" if contracts <= {"bitwise"} else "exactly"
        case "adapted":
            return "lossy" if "lossy" in contracts else "function kept"
        case "fresh":
            return "constants" if all(step["transform"] for step in steps) else "own initialisation"
        case "kept":
            return "the target's own"
