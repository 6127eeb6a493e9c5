"""Plan: one step per target tensor, one entry per unused source tensor; JSON in and out."""

from dataclasses import dataclass
from pathlib import Path

from weightbridge.boundary.checked import path_of
from weightbridge.plan.values import (
    Choice,
    Contract,
    Kind,
    Question,
    Step,
    Unused,
    UnusedReason,
    is_filled,
    is_written,
)

__all__ = [
    "Choice",
    "Contract",
    "Kind",
    "Plan",
    "Question",
    "Step",
    "Unused",
    "UnusedReason",
    "is_filled",
    "is_written",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """One step per target tensor, one Unused per source tensor that no step uses: both ledgers sum up.

    source_structure, target_structure, source_sha256, target_sha256: hashes that name both models.
    """

    steps: tuple[Step, ...]
    unused: tuple[Unused, ...]
    source_structure: str = ""
    target_structure: str = ""
    source_sha256: str | None = None
    target_sha256: str | None = None
    questions: tuple[Question, ...] = ()

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the JSON lockfile, whole or not at all."""
        from weightbridge.boundary.files import write_text  # making a plan can do without the file format
        from weightbridge.plan.file import dumps

        write_text(path_of("path", path), dumps(self), overwrite=overwrite)

    @staticmethod
    def load(path: str | Path) -> "Plan":
        """Read a lockfile. Raises PlanError for anything that is no plan."""
        from weightbridge.plan.file import load_fields

        return Plan(**load_fields(path_of("path", path)))
