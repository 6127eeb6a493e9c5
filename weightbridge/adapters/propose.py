"""The one entrance: which way of adapting two models is right, and its proposal."""

from weightbridge.adapters.cross import propose_cross
from weightbridge.adapters.heads import WRITERS, replaced_heads
from weightbridge.adapters.same_kind import propose_same_kind
from weightbridge.adapters.setting import Setting
from weightbridge.adapters.stages import is_staged
from weightbridge.adapters.values import Proposal
from weightbridge.adapters.widths import Widths, is_explained, source_widths
from weightbridge.graph import Layer, LayerGraph
from weightbridge.matching.values import Matching

# Below this share of parameters that a pair explains, two convolutional networks are different architectures. Members of one family
# that differ in width, depth, kernel or head measure 0.5 and more; ResNet50 against InceptionV3, where only shapes coincide, under 0.1.
EXPLAINED = 0.3
CHANCE = 0.5  # pairs of this confidence and less are coincidences of shape


def propose(source: LayerGraph, target: LayerGraph, matching: Matching, open_targets: frozenset[str]) -> Proposal:
    """Steps for target tensors without an exact match, and for exact matches whose channel group changes. Reads no values.

    Without data flow on the target's side nothing is proposed: which axes belong together would be a guess.
    """
    if not target.has_flow or not open_targets:
        return Proposal()
    setting = Setting(source, target, matching, open_targets)
    return propose_cross(setting) if is_cross(setting) else propose_same_kind(setting)


def is_cross(setting: Setting) -> bool:
    """Two convolutional networks with stages that matching could hardly join: layers are then taken from stage to stage."""
    return is_staged(setting.source) and is_staged(setting.target) and explained(setting) < EXPLAINED


def explained(setting: Setting) -> float:
    """The share of the target's parameters, heads apart, whose source is certain enough and fits up to widths and taps."""
    widths = source_widths(setting)
    heads = replaced_heads(setting, widths)
    tensors = [t for layer in setting.target.layers if not _is_head(setting, layer, heads) for t in layer.tensors]
    total = sum(t.size for t in tensors)
    return sum(t.size for t in tensors if _is_certain(setting, widths, t.name)) / total if total else 1.0


def _is_certain(setting: Setting, widths: Widths, name: str) -> bool:
    partners, match = setting.partners.get(name), setting.matches.get(name)
    if match is not None and match.confidence > CHANCE:
        return True
    return partners is not None and partners.pair.confidence > CHANCE and is_explained(setting, widths, partners)


def _is_head(setting: Setting, layer: Layer, heads: frozenset[int]) -> bool:
    axis = setting.groups.written.get(layer.name)
    return layer.op in WRITERS and axis is not None and bool((heads | setting.groups.leaving).intersection(axis.parts))


