"""Verification: what was compared when models were run, by which evidence."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from weightbridge.boundary.records import dataclass


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, by which evidence. `mode` is `none` where nothing was run."""

    mode: str = "none"
    outputs: tuple[Mapping[str, Any], ...] = ()
    layers: tuple[Mapping[str, Any], ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
