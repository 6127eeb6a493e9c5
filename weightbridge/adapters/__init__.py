"""Adapters: what to do where shapes or architectures differ, decided without values and carried out exactly
at transfer time.
"""

from weightbridge.adapters.apply.arithmetic import ADAPTERS, apply, with_energy
from weightbridge.adapters.propose.choose import propose
from weightbridge.adapters.propose.values import Proposal

__all__ = ["ADAPTERS", "Proposal", "apply", "propose", "with_energy"]
