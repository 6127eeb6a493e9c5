"""What the user's map says of two architectures: it goes before what stages would choose."""

from collections.abc import Mapping
from dataclasses import replace

from weightbridge.adapters.propose.across.stages import norm_after
from weightbridge.adapters.propose.setting import Setting
from weightbridge.matching.confidence import LOSSY
from weightbridge.model.graph import Layer
from weightbridge.plan import Step

MAP = "map"


def told_layers(setting: Setting) -> Mapping[str, Layer]:
    """The source layer of each target layer that the map names, and the norms behind both."""
    pairs = {t: setting.source.by_name[p.source] for t, p in setting.pairs.items() if MAP in p.evidence}
    norms: dict[str, Layer] = {}
    for target, layer in pairs.items():
        ours = norm_after(setting.target, setting.target.by_name[target])
        theirs = norm_after(setting.source, layer)
        if ours is not None and theirs is not None:
            norms[ours.name] = theirs
    return {**norms, **pairs}


def told_tensors(setting: Setting) -> frozenset[str]:
    """The target's tensors that get the very tensor which the map names, as it is."""
    return frozenset(name for name, match in setting.matches.items() if MAP in match.evidence)


def as_told(step: Step) -> Step:
    """The step of a layer that the map names."""
    return replace(step, evidence=(MAP,), confidence=LOSSY) if step.sources else step


def unscaled(step: Step) -> Step:
    """The step of a tensor that is taken as it is: with the variance that it has."""
    kept = {key: value for key, value in step.parameters.items() if key in ("axes", "layout", "value")}
    return replace(step, parameters=kept)
