"""Coverage: how much of the target is exact, adapted or fresh, and how much of the source is used."""

from collections import Counter

from weightbridge.boundary.records import dataclass
from weightbridge.plan import Kind, Plan


@dataclass(frozen=True, slots=True)
class Coverage:
    """Parameters of the target by the kind of their step: constants that are filled in are fresh.

    source_tensors: the unused and excluded ones too.
    """

    parameters: int = 0
    copied: int = 0
    transformed: int = 0
    adapted: int = 0
    fresh: int = 0
    kept: int = 0
    source_tensors: int = 0
    source_tensors_used: int = 0

    @property
    def exact(self) -> int:
        """What arrived as it is in the source."""
        return self.copied + self.transformed

    @property
    def fraction(self) -> float:
        """Parameters that arrived exactly out of all, 0 for a target without any."""
        return self.exact / self.parameters if self.parameters else 0.0

    @property
    def is_idle(self) -> bool:
        """Whether the target has parameters, and none of the source's tensors is used for them."""
        return self.parameters > 0 and self.source_tensors_used == 0


def coverage(plan: Plan | None) -> Coverage:
    """What the plan's two ledgers sum up to."""
    if plan is None:
        return Coverage()
    sizes: Counter[Kind] = Counter()
    for step in plan.steps:
        sizes[step.kind] += step.size
    used = {source for step in plan.steps for source in step.sources}
    return Coverage(
        parameters=sizes.total(),
        copied=sizes["copy"],
        transformed=sizes["transform"],
        adapted=sizes["adapt"],
        fresh=sizes["fresh"],
        kept=sizes["keep"],
        source_tensors=len(used) + len(plan.unused),
        source_tensors_used=len(used),
    )
