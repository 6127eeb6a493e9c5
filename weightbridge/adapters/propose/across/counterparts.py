"""Across architectures: which source layer each target layer takes from: same stage, nearest kernel, nearest
place.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import log2

from weightbridge.adapters.propose.across.stages import Unit, convolutions, norms
from weightbridge.model.graph import Layer, LayerGraph


def counterparts(source: LayerGraph, target: LayerGraph) -> Mapping[str, Layer]:
    """By target layer, for every convolution and norm that finds one."""
    found: dict[str, Layer] = {}
    theirs, ours = convolutions(source), convolutions(target)
    stages = stage_map([u.stride for u in theirs], [u.stride for u in ours])
    for unit in ours:
        candidates = _candidates(unit, [u for u in theirs if _rank(u) == _rank(unit)], stages[unit.stride])
        if not candidates:
            continue
        best = _nearest(unit, candidates)
        found[unit.layer.name] = best.layer
        if unit.norm is not None and best.norm is not None:
            found[unit.norm.name] = best.norm
    return {**_free_norms(source, target), **found}


def stage_map(theirs: Sequence[Fraction], ours: Sequence[Fraction]) -> Mapping[Fraction, Fraction]:
    """Target stage -> source stage: of the same downsampling, else of the same rank."""
    left, right = sorted(set(theirs)), sorted(set(ours))
    last = max(len(right) - 1, 1)
    return {
        stage: stage if stage in left else left[round(n * (len(left) - 1) / last)]
        for n, stage in enumerate(right)
    }


def _candidates(unit: Unit, theirs: Sequence[Unit], stage: Fraction) -> Sequence[Unit]:
    """Stems for a stem; else the stage's other layers, of the same op where there is one."""
    stems = [u for u in theirs if u.is_stem]
    if unit.is_stem and stems:
        return stems
    inner = [u for u in theirs if not u.is_stem] or list(theirs)
    near = [u for u in inner if u.stride == stage] or inner
    return [u for u in near if u.layer.op == unit.layer.op] or near


def _rank(unit: Unit) -> int:
    return len(unit.layer.attributes.get("kernel_size") or ())


def _nearest(unit: Unit, candidates: Sequence[Unit]) -> Unit:
    return min(
        candidates,
        key=lambda u: (
            abs(log2(u.taps / unit.taps)) + abs(u.place - unit.place),
            abs(u.stride - unit.stride),
        ),
    )


def _free_norms(source: LayerGraph, target: LayerGraph) -> Mapping[str, Layer]:
    """Norms that follow no convolution (pre-activation, DenseNet) take from the norm at their place in the
    stage.
    """
    theirs, ours = norms(source), norms(target)
    if not theirs:
        return {}
    stages = stage_map([u.stride for u in theirs], [u.stride for u in ours])
    near = {s: [u for u in theirs if u.stride == s] for s in set(stages.values())}
    return {
        u.layer.name: min(near[stages[u.stride]], key=lambda v: abs(v.place - u.place)).layer for u in ours
    }
