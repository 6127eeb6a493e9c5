"""Norms follow the layers they belong to: `bn1` goes where `conv1` goes."""

from collections.abc import Mapping, Sequence

from weightbridge.matching.pairing.norm_names import SAYS_NOTHING, owners_by_name, support_of_owners
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.leaf_groups import Group
from weightbridge.matching.uses.leaf_uses import Use

Places = dict[int, int]  # norm -> layer
NormLayers = tuple[Places, Places]  # the layer that each norm stands behind, and the one it stands before
Flow = tuple[int, int]


def layers_by_flow(uses: Sequence[Use]) -> NormLayers | None:
    """By data flow; None where none is known."""
    if not any(use.behind or use.ahead for use in uses):
        return None
    place = {use.inner: i for i, use in enumerate(uses)}
    behind = {i: place[use.behind] for i, use in enumerate(uses) if use.behind in place}
    ahead = {i: place[use.ahead] for i, use in enumerate(uses) if use.ahead in place}
    return behind, ahead


def support_of_layers(
    source: Sequence[Use],
    target: Sequence[Use],
    flows: tuple[NormLayers | None, NormLayers | None],
    groups: Sequence[Group],
) -> dict[tuple[int, int], float]:
    """(source norm, target norm) -> what the pair of their layers adds to their score."""
    source_layers = flows[0] if flows[0] is not None else _layers_by_names(source)
    target_layers = flows[1] if flows[1] is not None else _layers_by_names(target)
    paired = _paired_so_far(groups)
    behind = support_of_owners(source_layers[0], target_layers[0], paired)
    ahead = support_of_owners(source_layers[1], target_layers[1], paired)
    return {pair: max(behind.get(pair, 0.0), ahead.get(pair, 0.0)) for pair in behind.keys() | ahead.keys()}


def _paired_so_far(groups: Sequence[Group]) -> dict[int, tuple[int, bool]]:
    """Target -> its best source without the layers' support, and whether nothing else fits either."""
    paired = {}
    for group in groups:
        for column, row in group.chosen().items():
            is_only_fit = bool(group.fits[:, column].sum() == group.fits[row].sum() == 1)
            paired[int(group.columns[column])] = int(group.rows[row]), is_only_fit
    return paired


def _layers_by_names(uses: Sequence[Use]) -> NormLayers:
    """By names.

    A norm stands before its layer in scopes where most are of another width than theirs gives.
    """
    layers = owners_by_name([use.inner for use in uses], [use.leaf.kind for use in uses])
    flows = _flows_of_layers(uses, layers)
    scopes_before = _scopes_before(uses, flows)
    behind: Places = {}
    ahead: Places = {}
    for norm, layer in layers.items():
        window, width = flows.get(norm, (0, uses[norm].leaf.size))
        size = uses[norm].leaf.size
        if _scope(uses[norm]) in scopes_before:
            ahead |= {norm: layer} if norm in flows and window % size == 0 else {}
        elif size == width:
            behind[norm] = layer
    return behind, ahead


def _flows_of_layers(uses: Sequence[Use], layers: Places) -> dict[int, Flow]:
    """Norm -> (in, out) of its layer, where that is known."""
    flows = {}
    for norm, layer in layers.items():
        flow = uses[layer].leaf.flow
        if uses[norm].leaf.kind == "norm" and flow is not None:
            flows[norm] = flow
    return flows


def _scopes_before(uses: Sequence[Use], flows: Mapping[int, Flow]) -> frozenset[Words]:
    """The scopes in which half the norms or more are of another width than the layers of their names give."""
    differing: dict[Words, list[bool]] = {}
    for norm, (_, width) in flows.items():
        differing.setdefault(_scope(uses[norm]), []).append(uses[norm].leaf.size != width)
    return frozenset(scope for scope, norms in differing.items() if 2 * sum(norms) >= len(norms))


def _scope(use: Use) -> Words:
    """The words before those that name the norm itself."""
    path = use.leaf.words[:-1] if use.leaf.words[-1].isdigit() else use.leaf.words
    while path and path[-1] in SAYS_NOTHING:
        path = path[:-1]
    return path
