"""The policy: how strict a command is, the pairs of models, and where the accepted findings are."""

from weightbridge.report.policy.apply import with_policy, with_severities
from weightbridge.report.policy.find import find_policy
from weightbridge.report.policy.load import load_policy
from weightbridge.report.policy.values import Pair, Policy, pair_of_files

__all__ = ["Pair", "Policy", "find_policy", "load_policy", "pair_of_files", "with_policy", "with_severities"]
