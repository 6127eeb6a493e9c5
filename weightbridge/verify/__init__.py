"""Proof that weights arrived: probes, noise floor, comparison, controls, read-back."""

from weightbridge.verify.alone import Counterparts, compare_alone
from weightbridge.verify.controls import shuffled
from weightbridge.verify.equality import equality
from weightbridge.verify.health import health
from weightbridge.verify.probes import seed_of
from weightbridge.verify.recorded import against_recorded
from weightbridge.verify.rounded import equality_in_steps
from weightbridge.verify.values import Control, Setup

__all__ = [
    "Control",
    "Counterparts",
    "Setup",
    "against_recorded",
    "compare_alone",
    "equality",
    "equality_in_steps",
    "health",
    "seed_of",
    "shuffled",
]
