"""The one entrance: which way of adapting two models is right, and its proposal."""

from collections.abc import Collection, Iterable, Sequence

from weightbridge.adapters.propose.across.propose import propose_cross
from weightbridge.adapters.propose.across.stages import is_staged
from weightbridge.adapters.propose.heads import WRITERS
from weightbridge.adapters.propose.likeness import could_correspond
from weightbridge.adapters.propose.other import Share, refused
from weightbridge.adapters.propose.same_kind import propose_same_kind
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.values import Proposal
from weightbridge.adapters.propose.widths import Widths, is_explained, source_widths
from weightbridge.boundary.options import Adapt
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.values import Matching
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor

# Below this share of layers that correspond, on the side that is explained better, two networks are different
# architectures. Members of one family that differ in width, depth, kernel, head or input size measure 0.8 and
# more (a deeper one explains all of its source, a shallower one is explained by it); ResNet50 against
# DenseNet121, which have names in common, measures 0.35, against InceptionV3 0.00.
ALIKE = 0.5


def propose(
    source: LayerGraph,
    target: LayerGraph,
    matching: Matching,
    open_targets: frozenset[str],
    adapt: Adapt = "same",
) -> Proposal:
    """Steps for target tensors without an exact match, and for exact matches whose channel group changes.

    Reads no values. Without data flow on the target's side nothing is proposed: which axes belong together
    would be a guess. Nor is anything from another architecture, unless that is asked for.
    """
    if not target.has_flow or not open_targets:
        return Proposal()
    setting = Setting(source, target, matching, open_targets, is_asked=adapt not in ("none", "same"))
    if not is_other(setting):
        return propose_same_kind(setting)
    if adapt == "same" and could_correspond(source, target):
        return propose_same_kind(setting)
    across = propose_cross(setting) if _are_staged(setting) else propose_same_kind(setting)
    return refused(setting, alike_layers(setting), across) if adapt == "same" else across


def is_cross(setting: Setting) -> bool:
    """Two convolutional networks with stages that matching could hardly join.

    Layers are then taken from stage to stage.
    """
    return _are_staged(setting) and is_other(setting)


def _are_staged(setting: Setting) -> bool:
    return is_staged(setting.source) and is_staged(setting.target)


def is_other(setting: Setting) -> bool:
    """Whether too few layers correspond for the two to be one architecture."""
    return max(share for _, _, share in alike_layers(setting)) < ALIKE


def alike_layers(setting: Setting) -> tuple[Share, Share]:
    """Of the source and the target, heads apart: layers that correspond up to widths, taps and grids."""
    widths = source_widths(setting)
    of_heads, ours = _by_head(setting)
    certain = [t for t in ours if _is_certain(setting, widths, t.name)]
    heads, used = (_owners(setting, _used(setting, tensors)) for tensors in (of_heads, certain))
    theirs = {layer.name for layer in setting.source.layers if layer.tensors} - heads
    mine = {setting.target.owner[t.name].name for t in ours}
    filled = {setting.target.owner[t.name].name for t in certain}
    return _share(used & theirs, theirs), _share(filled, mine)


def _owners(setting: Setting, names: Iterable[str]) -> frozenset[str]:
    return frozenset(setting.source.owner[name].name for name in names)


def _share(some: Collection[str], whole: Collection[str]) -> Share:
    return len(some), len(whole), len(some) / len(whole) if whole else 1.0


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


def _sources(setting: Setting, name: str) -> tuple[str, ...]:
    match, partners = setting.matches.get(name), setting.partners.get(name)
    if match:
        return match.sources
    return (partners.source.name,) if partners else ()


def _is_certain(setting: Setting, widths: Widths, name: str) -> bool:
    partners, match = setting.partners.get(name), setting.matches.get(name)
    if match is not None and match.confidence > DOUBTFUL:
        return True
    if partners is None:
        return _is_misfit(setting, name)
    return partners.pair.confidence > DOUBTFUL and is_explained(setting, widths, partners)


def _is_misfit(setting: Setting, name: str) -> bool:
    """A tensor of axes that are not known, whose layer has a certain partner."""
    pair = setting.pairs.get(setting.target.owner[name].name)
    is_paired = any(target == name for _, target in setting.matching.misfits)
    return is_paired and pair is not None and pair.confidence > DOUBTFUL


def _is_head(setting: Setting, layer: Layer) -> bool:
    axis = setting.groups.written.get(layer.name)
    return layer.op in WRITERS and axis is not None and not setting.groups.leaving.isdisjoint(axis.parts)
