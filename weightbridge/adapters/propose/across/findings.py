"""What a transfer across architectures is, said once per stage (WB302)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from weightbridge.adapters.propose.across.stages import convolutions
from weightbridge.adapters.propose.setting import Setting
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import Layer
from weightbridge.model.strides import cumulative_strides
from weightbridge.plan import Step

FIX = "Treat the result as an initialisation: fine-tune the target"
WHAT = (
    "kernels and channels selected or repeated, norms worked out again: the two are different architectures"
)


def cross_findings(setting: Setting, taken: Mapping[str, Layer], steps: Sequence[Step]) -> Iterator[Finding]:
    strides = cumulative_strides(setting.source)
    for stride, names in _stages(setting, taken, steps).items():
        origins = list(dict.fromkeys(taken[name].name for name in names))
        coarse = ", ".join(f"1/{s}" for s in sorted({strides[origin] for origin in origins}))
        ours = f"stage 1/{stride}: {len(names)} convolutions ({names[0]} to {names[-1]})"
        text = f"{ours} start from {len(origins)} of the source's at {coarse}, {WHAT}"
        yield finding("WB302", text, source=origins[0], target=names[0], fix=FIX)


def _stages(
    setting: Setting, taken: Mapping[str, Layer], steps: Sequence[Step]
) -> Mapping[Fraction, list[str]]:
    """The convolutions of each stage that change."""
    changed = {setting.target.owner[step.target].name for step in steps}
    stages: dict[Fraction, list[str]] = {}
    for unit in convolutions(setting.target):
        if unit.layer.name in changed and unit.layer.name in taken:
            stages.setdefault(unit.stride, []).append(unit.layer.name)
    return stages
