"""Across architectures: the source layer of each target layer.

Same stage, nearest kernel, nearest place.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import log2

from weightbridge.adapters.propose.across.stages import Unit, convolutions, norms
from weightbridge.model.graph import Layer, LayerGraph


def counterparts(source: LayerGraph, target: LayerGraph) -> Mapping[str, Layer]:
    """By target layer, for every convolution and norm that finds one."""
    theirs, ours = convolutions(source), convolutions(target)
    stages = stage_map([u.stride for u in theirs], [u.stride for u in ours])
    taken = dict(_free_norms(source, target))
    for unit in ours:
        of_rank = [u for u in theirs if _rank(u) == _rank(unit)]
        candidates = _candidates(unit, of_rank, stages[unit.stride])
        if candidates:
            taken |= _with_norm(unit, _nearest(unit, candidates))
    return taken


def _with_norm(unit: Unit, best: Unit) -> Mapping[str, Layer]:
    """The convolution, and the norm behind it where both have one."""
    pairs = {unit.layer.name: best.layer}
    if unit.norm is not None and best.norm is not None:
        pairs[unit.norm.name] = best.norm
    return pairs


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
    def distance(candidate: Unit) -> tuple[float, Fraction]:
        taps = abs(log2(candidate.taps / unit.taps))
        place = abs(candidate.place - unit.place)
        return taps + place, abs(candidate.stride - unit.stride)

    return min(candidates, key=distance)


def _free_norms(source: LayerGraph, target: LayerGraph) -> Mapping[str, Layer]:
    """Norms that follow no convolution (pre-activation, DenseNet) take from that at their stage's place."""
    theirs, ours = norms(source), norms(target)
    if not theirs:
        return {}
    stages = stage_map([u.stride for u in theirs], [u.stride for u in ours])
    taken = {}
    for unit in ours:
        of_stage = [u for u in theirs if u.stride == stages[unit.stride]]
        taken[unit.layer.name] = _at_place(unit.place, of_stage).layer
    return taken


def _at_place(place: float, units: Sequence[Unit]) -> Unit:
    return min(units, key=lambda unit: abs(unit.place - place))
