"""Plan: one step per target tensor, one entry per unused source tensor; JSON in and out."""

from collections import Counter
from pathlib import Path

from weightbridge.boundary.checked import path_of
from weightbridge.boundary.records import dataclass
from weightbridge.plan.values import (
    BY_DEPTH,
    FITTED,
    Choice,
    Contract,
    CutPair,
    Fit,
    Kind,
    Question,
    Step,
    Unused,
    UnusedReason,
    is_filled,
    is_written,
)

__all__ = [
    "BY_DEPTH",
    "FITTED",
    "Choice",
    "Contract",
    "CutPair",
    "Fit",
    "Kind",
    "Plan",
    "Question",
    "Step",
    "Unused",
    "UnusedReason",
    "is_filled",
    "is_written",
]


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """One step per target tensor, one Unused per source tensor that no step uses: both ledgers sum up.

    steps: where each target tensor gets its value from, in the target's order.
    unused: the source tensors that are left over, each with its reason.
    questions: choices that rest on names or order alone, to be answered in the plan's file.
    fit: what the fitted steps are computed from, None where there are none.
    source_structure, target_structure, source_sha256, target_sha256: hashes that name both models.
    """

    steps: tuple[Step, ...]
    unused: tuple[Unused, ...]
    source_structure: str = ""
    target_structure: str = ""
    source_sha256: str | None = None
    target_sha256: str | None = None
    questions: tuple[Question, ...] = ()
    fit: Fit | None = None

    def __repr__(self) -> str:
        """One line: `<Plan: 17 steps (12 copy, 5 transform), 23 source tensors unused>`."""
        kinds = Counter(step.kind for step in self.steps)
        listed = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
        steps = f"{len(self.steps):,} steps ({listed})" if listed else "no steps"
        asked = f", {len(self.questions):,} questions" if self.questions else ""
        return f"<Plan: {steps}, {len(self.unused):,} source tensors unused{asked}>"

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the plan as a JSON lockfile, whole or not at all.

        Raises UsageError where `path` exists, unless `overwrite`, and OutputError where it cannot be written.
        """
        from weightbridge.boundary.files import write_text  # making a plan can do without the file format
        from weightbridge.plan.file import dumps

        write_text(path_of("path", path), dumps(self), overwrite=overwrite)

    @staticmethod
    def load(path: str | Path) -> "Plan":
        """Read a plan that `save` or `weightbridge plan` wrote, as it is or edited.

        Raises PlanError for anything that is no plan, with what is wrong in it and where.
        """
        from weightbridge.plan.file import load_fields

        return Plan(**load_fields(path_of("path", path)))
