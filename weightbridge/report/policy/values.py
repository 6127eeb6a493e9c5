"""The values of a policy: Policy, and Pair for each pair of models that it names."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from weightbridge.boundary.options import Adapt, BaselineMode, FailOn, PolicySeverity
from weightbridge.boundary.records import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models that belong together, with the options of their check by the names that Options has."""

    name: str
    source: str
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)


def pair_of_files(name: str) -> Pair | None:
    """The pair of two models that are files, by `SOURCE:TARGET`; nothing is run for a name."""
    cuts = (i for i, sign in enumerate(name) if sign == ":")
    sides = ((name[:cut], name[cut + 1 :]) for cut in cuts)
    return next((Pair(name, *both) for both in sides if all(map(_exists, both))), None)


def _exists(text: str) -> bool:
    return bool(text) and "\0" not in text and Path(text).exists()


@dataclass(frozen=True, slots=True)
class Policy:
    """None where the file does not say.

    severity: by WB code. min_coverage, min_exact: of the target's parameters that are exact; min_filled: with
    what is adapted and declared fresh. max_examples: places that a text names of one code.
    reports: where each format goes. path: of the file.
    """

    severity: Mapping[str, PolicySeverity] = field(default_factory=dict)
    min_coverage: float | None = None
    fail_on: FailOn | None = None
    min_exact: float | None = None
    min_filled: float | None = None
    adapt: Adapt | None = None
    baseline: Path | None = None
    baseline_mode: BaselineMode | None = None
    max_examples: int | None = None
    reports: Mapping[str, Path] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    path: Path = field(default=Path(), compare=False)
