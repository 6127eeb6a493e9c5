"""Adapters: what to do where shapes or architectures differ, decided without values and carried out exactly at transfer time."""

from weightbridge.adapters.arithmetic import ADAPTERS, apply, with_energy
from weightbridge.adapters.propose import propose
from weightbridge.adapters.values import Proposal

__all__ = ["ADAPTERS", "Proposal", "apply", "propose", "with_energy"]
