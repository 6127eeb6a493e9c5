"""What a transfer across architectures is, said once per stage (WB302)."""

from collections.abc import Iterator, Mapping, Sequence

from weightbridge.adapters.propose.across.stages import convolutions, cumulative_strides
from weightbridge.adapters.propose.setting import Setting
from weightbridge.diagnostics import Finding, finding
from weightbridge.model.graph import Layer
from weightbridge.plan import Step

FIX = "Treat the result as an initialisation: give unlabelled inputs (--adapt fit --calibrate D.npz), or fine-tune the target"


def cross_findings(setting: Setting, taken: Mapping[str, Layer], steps: Sequence[Step]) -> Iterator[Finding]:
    changed = {setting.target.owner[step.target].name for step in steps}
    stages: dict[object, list[str]] = {}
    for unit in convolutions(setting.target):
        if unit.layer.name in changed and unit.layer.name in taken:
            stages.setdefault(unit.stride, []).append(unit.layer.name)
    theirs = cumulative_strides(setting.source)
    for stride, names in stages.items():
        origins = list(dict.fromkeys(taken[name].name for name in names))
        coarse = ", ".join(f"1/{s}" for s in sorted({theirs[o] for o in origins}))
        text = (
            f"stage 1/{stride}: {len(names)} convolutions ({names[0]} to {names[-1]}) start from {len(origins)} of the source's at "
            f"{coarse}, kernels and channels selected or repeated, norms worked out again: the two are different architectures"
        )
        yield finding("WB302", text, source=origins[0], target=names[0], fix=FIX)
