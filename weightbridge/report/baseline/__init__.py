"""The baseline: findings that a person has accepted, with a reason each; it may only shrink."""

from weightbridge.report.baseline.apply import accepted_of, identity, pair_name
from weightbridge.report.baseline.file import dumps, load_baseline, loads
from weightbridge.report.baseline.values import Accepted, Applied, is_acceptable, why_not

__all__ = [
    "Accepted",
    "Applied",
    "accepted_of",
    "dumps",
    "identity",
    "is_acceptable",
    "load_baseline",
    "loads",
    "pair_name",
    "why_not",
]
