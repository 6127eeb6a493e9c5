"""Accepted: an entry of a baseline; Applied: what a baseline makes of a report's findings."""

from datetime import date

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding

STALE = "WB590"
# What running has shown, values that are no numbers, and files that are not safe or not whole.
NEVER = frozenset({"WB106", "WB401", "WB402", "WB404", "WB405", "WB406"})
NEVER_OF = ("WB5", "WB9")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding of a pair of models that counts no more, and why. until: the last day on which it is so."""

    pair: str
    code: str
    source: str
    target: str
    fingerprint: str
    reason: str
    until: date | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.pair, self.code, self.fingerprint

    @property
    def order(self) -> tuple[str, ...]:
        """How a file has them."""
        return self.pair, self.code, self.target, self.source, self.fingerprint


@dataclass(frozen=True, slots=True)
class Applied:
    """findings: those that still count, with WB590 for each stale entry. accepted: the others, with why."""

    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    stale: int


def is_acceptable(code: str) -> bool:
    return code not in NEVER and not code.startswith(NEVER_OF)


def why_not(code: str) -> str:
    """The sentence about a code that nobody can accept."""
    never = "what running has shown, NaN and Inf, and unsafe or broken files never are"
    return f"{code} cannot be accepted: {never}"
