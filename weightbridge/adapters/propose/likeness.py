"""Whether two models could be one architecture in other sizes: the kinds of their layers, in turn."""

from collections import Counter

from weightbridge.matching.sequences.alignment import align
from weightbridge.matching.units.reduce import reduce
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.model.graph import LayerGraph

# Of two networks that differ in widths all layers but a tenth, or one, have a counterpart of their kind.
# Beside ResNet50 0.16 of ResNet50V2's and 0.24 of MobileNetV2's have none, beside VGG16 0.16 of VGG19's.
ALONE = 0.1
FEW = 3  # layers, of which a share says nothing: one in common is enough


def could_correspond(source: LayerGraph, target: LayerGraph) -> bool:
    """Whether the layers could correspond if their sizes were the same."""
    has_flow = source.has_flow and target.has_flow
    ours, theirs = (_kinds(reduce(graph), with_merges=has_flow) for graph in (source, target))
    alike = len(align(ours, theirs)) if has_flow else (Counter(ours) & Counter(theirs)).total()
    most = max(len(ours), len(theirs))
    return alike > 0 if most <= FEW else most - alike <= max(1, ALONE * most)


def _kinds(side: Reduced, *, with_merges: bool) -> list[str]:
    """Families, and the taps of kernels, of layers with weights and of merges."""
    return [_kind(unit, is_told=with_merges) for unit in (side.units if with_merges else side.weighted)]


def _kind(unit: Unit, *, is_told: bool) -> str:
    """is_told: a state dict does not tell which convolutions are by channel."""
    family = unit.family if is_told else unit.family.removeprefix("Depthwise")
    return f"{family} {unit.layer.attributes.get('kernel_size', '')}" if family.endswith("Conv") else family
