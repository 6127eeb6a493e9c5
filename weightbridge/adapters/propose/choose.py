"""The one entrance: which way of adapting two models is right, and its proposal."""

from collections.abc import Sequence

from weightbridge.adapters.propose.across.propose import propose_cross
from weightbridge.adapters.propose.across.stages import is_staged
from weightbridge.adapters.propose.heads import WRITERS
from weightbridge.adapters.propose.same_kind import propose_same_kind
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.values import Proposal
from weightbridge.adapters.propose.widths import Widths, is_explained, source_widths
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.values import Matching
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor

# Below this share of parameters that a pair explains, on the side that is explained better, two convolutional
# networks are different architectures. Members of one family that differ in width, depth, kernel or head
# measure 0.9 and more (a deeper one explains all of its source, a shallower one is explained by it); ResNet50
# against InceptionV3, where only shapes coincide, measures 0.00.
EXPLAINED = 0.3


def propose(
    source: LayerGraph, target: LayerGraph, matching: Matching, open_targets: frozenset[str]
) -> Proposal:
    """Steps for target tensors without an exact match, and for exact matches whose channel group changes.

    Reads no values. Without data flow on the target's side nothing is proposed: which axes belong together
    would be a guess.
    """
    if not target.has_flow or not open_targets:
        return Proposal()
    setting = Setting(source, target, matching, open_targets)
    return propose_cross(setting) if is_cross(setting) else propose_same_kind(setting)


def is_cross(setting: Setting) -> bool:
    """Two convolutional networks with stages that matching could hardly join.

    Layers are then taken from stage to stage.
    """
    return is_staged(setting.source) and is_staged(setting.target) and explained(setting) < EXPLAINED


def explained(setting: Setting) -> float:
    """The share of parameters, heads apart, of certain enough pairs which fit up to widths and taps."""
    widths = source_widths(setting)
    of_heads, ours = _by_head(setting)
    certain = [t for t in ours if _is_certain(setting, widths, t.name)]
    used = _used(setting, certain)
    heads = _used(setting, of_heads)
    theirs = [t for t in setting.source.tensors if t.name not in heads]
    explaining = [t for t in theirs if t.name in used]
    return max(_share(certain, ours), _share(explaining, theirs))


def _by_head(setting: Setting) -> tuple[list[Tensor], list[Tensor]]:
    """The target's tensors of heads, and the others."""
    of_heads: list[Tensor] = []
    others: list[Tensor] = []
    for layer in setting.target.layers:
        side = of_heads if _is_head(setting, layer) else others
        side.extend(layer.tensors)
    return of_heads, others


def _used(setting: Setting, tensors: Sequence[Tensor]) -> frozenset[str]:
    """The source tensors that these come from."""
    return frozenset(name for t in tensors for name in _sources(setting, t.name))


def _share(some: Sequence[Tensor], whole: Sequence[Tensor]) -> float:
    total = sum(t.size for t in whole)
    return sum(t.size for t in some) / total if total else 1.0


def _sources(setting: Setting, name: str) -> tuple[str, ...]:
    match, partners = setting.matches.get(name), setting.partners.get(name)
    if match:
        return match.sources
    return (partners.source.name,) if partners else ()


def _is_certain(setting: Setting, widths: Widths, name: str) -> bool:
    partners, match = setting.partners.get(name), setting.matches.get(name)
    if match is not None and match.confidence > DOUBTFUL:
        return True
    return (
        partners is not None
        and partners.pair.confidence > DOUBTFUL
        and is_explained(setting, widths, partners)
    )


def _is_head(setting: Setting, layer: Layer) -> bool:
    axis = setting.groups.written.get(layer.name)
    return layer.op in WRITERS and axis is not None and not setting.groups.leaving.isdisjoint(axis.parts)
