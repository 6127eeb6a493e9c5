"""`match`: two graphs in, pairs of layers, exact matches of tensors and findings out. Reads no bytes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from weightbridge.boundary.globs import mapped
from weightbridge.boundary.options import Options
from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding
from weightbridge.matching.context import Context
from weightbridge.matching.counted import without_counted
from weightbridge.matching.differences.functions import differences, is_variant, said
from weightbridge.matching.differences.name_findings import (
    said_of_pairs,
    said_of_tensors,
)
from weightbridge.matching.differences.storage_order import permuted_storage
from weightbridge.matching.differences.vocabularies import by_word
from weightbridge.matching.joining.epsilons import equal_epsilons, made_up_for
from weightbridge.matching.joining.fold_norms import fold_into_targets
from weightbridge.matching.joining.folded_norms import fold_batchnorms
from weightbridge.matching.joining.hidden_flatten import doubted_flattens
from weightbridge.matching.joining.join import Joined, Joiner
from weightbridge.matching.joining.rotary_order import rotary_order
from weightbridge.matching.joining.tensor_map import Told, mapped_tensors
from weightbridge.matching.joining.tying import said_of_ties, untied_pairs
from weightbridge.matching.joining.unscaled_norms import neutral_ones, unscaled_norms
from weightbridge.matching.joining.zero_biases import zero_biases
from weightbridge.matching.pairing.by_branches import by_branches
from weightbridge.matching.pairing.by_counted_blocks import by_counted_blocks
from weightbridge.matching.pairing.by_map import Map, by_map
from weightbridge.matching.pairing.by_mapping import by_mapping, without_told
from weightbridge.matching.pairing.by_name import by_name, by_suffix
from weightbridge.matching.pairing.by_neighbours import by_neighbours
from weightbridge.matching.pairing.by_norm_owner import by_norm_owner
from weightbridge.matching.pairing.by_order import by_order, layers_by_order
from weightbridge.matching.pairing.by_scope import by_scope
from weightbridge.matching.pairing.by_shape import by_shape
from weightbridge.matching.pairing.by_structure import by_structure
from weightbridge.matching.pairing.doubt import doubted
from weightbridge.matching.pairing.keras_order import is_listed_alike
from weightbridge.matching.pairing.mapped_blocks import Inside, inside_mapped
from weightbridge.matching.pairing.new_heads import without_trunk_heads
from weightbridge.matching.pairing.norm_owners import norm_owners
from weightbridge.matching.pairing.twin_heads import doubted_heads
from weightbridge.matching.units.if_branches import doubted_branches
from weightbridge.matching.units.reduce import reduce_both
from weightbridge.matching.units.unit_names import layer_of
from weightbridge.matching.uses.by_uses import by_uses
from weightbridge.matching.values import LayerPair, Match, Matching
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import AFFINE
from weightbridge.rules.layouts import load_rules
from weightbridge.rules.mappings import load_mappings

Matcher = Callable[[Context], tuple[LayerPair, ...]]
PLACED: tuple[Matcher, ...] = (
    by_structure,
    by_suffix,
    by_scope,
    by_neighbours,
    by_shape,
    layers_by_order,
    by_norm_owner,
    by_order,
)


def match(source: LayerGraph, target: LayerGraph, options: Options) -> Matching:
    """All pairs, matches and findings. Raises RuleError for wrong rules, UsageError for a wrong map."""
    rules = cache(partial(load_rules, options.rules))
    if options.rules:
        rules()  # a user's wrong rules are said even where none is needed
    if not options.map:
        source, target = without_counted(source, target), without_counted(target, source)
    return _matched(source, target, options, Joiner(rules, source, target))[1]


def _inside(
    options: Options, joiner: Joiner, source: LayerGraph, target: LayerGraph, user_map: Map
) -> Inside:
    """What two blocks have in common, matched as models are, and joined as parts of the whole models."""
    context, matching = _matched(source, target, replace(options, map=user_map), joiner)
    return Inside(tuple(context.pairs.values()), matching.matches)


def _matched(
    source: LayerGraph, target: LayerGraph, options: Options, joiner: Joiner
) -> tuple[Context, Matching]:
    """The matching, and the context with all pairs of units that it rests on."""
    told = by_mapping(load_mappings(options.rules), source, target)
    paired = _paired(source, target, options, joiner, told)
    context = paired.context
    differing = differences(source, target, _weighted_pairs(context))
    refused = frozenset(d.target for d in differing if is_variant(d, target.by_name[d.target].op))
    joined = _joined(context, joiner, refused)
    exact, said_of_folding = _exact(context, joined)
    likely, suspects = doubted_flattens(context, {m.target: m for m in (*paired.by_uses, *exact)})
    forced = mapped_tensors(joiner, options.map, likely)
    matches = _without_refuted(likely, forced) | {
        m.target: m for m in (*told, *paired.by_map, *forced.matches)
    }
    if options.adapt != "none":
        matches |= equal_epsilons(matches, differing, target)
    words = by_word(source, target, matches, _misfits(forced, joined, matches), move=options.map_words)
    matches |= words.matches
    rotary = rotary_order(source, target, matches)
    matches |= rotary.matches
    handled = made_up_for(matches.values(), target) | neutral_ones(matches.values(), target)
    copied = {m.target: m.sources[0] for m in matches.values() if m.sources}
    found = Matching(
        pairs=_shown(context),
        matches=tuple(matches[t.name] for t in target.tensors if t.name in matches),
        misfits=_misfits(forced, joined, matches),
        findings=(
            *said_of_pairs(context, tuple(context.pairs.values())),
            *said_of_tensors(target, (matches[m.target] for m in paired.by_uses), context.pairs.values()),
            *said_of_folding,
            *said(differing, target, handled),
            *(f for f in suspects if matches.get(f.target) is likely[f.target]),
            *forced.findings,
            *said_of_ties(context, paired.untied),
            *words.findings,
            *rotary.findings,
            *permuted_storage(source, target, copied),
        ),
        refused=refused,
    )
    return context, found


@dataclass(frozen=True, slots=True)
class _Paired:
    """The context with all pairs, and what was found with them.

    by_uses: matches of tensors that no pair of units gives. by_map: those inside blocks that the map names.
    untied: further target layers that get the weights of a tied source layer.
    """

    context: Context
    by_uses: tuple[Match, ...]
    by_map: tuple[Match, ...]
    untied: tuple[LayerPair, ...]


def _paired(
    source: LayerGraph, target: LayerGraph, options: Options, joiner: Joiner, told: Sequence[Match]
) -> _Paired:
    """All pairs, the strongest evidence first; those in doubt with their runners-up."""
    reduced = reduce_both(source, target, _mapped(source, options))
    blank = Context(*reduced, {}, options.map, is_listed_alike=is_listed_alike(*reduced))
    context = without_told(blank, told)
    context = context.with_pairs(by_map(context))
    inside = inside_mapped(context, partial(_inside, options, joiner)) if options.map else Inside()
    context = without_told(context.with_pairs(inside.pairs), inside.matches)
    context = context.with_pairs(by_counted_blocks(context))
    context = context.with_pairs(by_name(context))
    context = context.with_pairs(by_branches(context))
    uses = by_uses(context, joiner)
    context = context.with_pairs(uses.pairs).closing(uses.closed_source, uses.closed_target)
    for matcher in PLACED:
        context = context.with_pairs(matcher(context))
    context = without_trunk_heads(context)
    untied = untied_pairs(context)
    pairs = doubted_branches((*doubted(context), *untied), context.source.rivals)
    pairs = doubted_heads(context, pairs)
    context = replace(context, pairs={pair.target: pair for pair in pairs})
    return _Paired(replace(context, norm_owners=norm_owners(context)), uses.matches, inside.matches, untied)


def _weighted_pairs(context: Context) -> list[tuple[str, str]]:
    weighted = {unit.name for unit in context.target.weighted}
    return [(pair.source, pair.target) for pair in context.pairs.values() if pair.target in weighted]


def _without_refuted(likely: Mapping[str, Match], forced: Told) -> dict[str, Match]:
    """Without the matches of tensors that the user's map joins with another one that does not fit."""
    refuted = {target for _, target in forced.misfits}
    return {target: found for target, found in likely.items() if target not in refuted}


def _shown(context: Context) -> tuple[LayerPair, ...]:
    """The pairs by the names of layers."""
    pairs = context.pairs.values()
    return tuple(replace(p, source=layer_of(p.source), target=layer_of(p.target)) for p in pairs)


def _misfits(
    forced: Told, joined: Mapping[str, Joined], matches: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """(source, target) tensors of paired layers that no transform joins, once each."""
    of_layers = (misfit for layer in joined.values() for misfit in layer.misfits)
    misfits = dict.fromkeys((*forced.misfits, *of_layers))
    return tuple((source, target) for source, target in misfits if target not in matches)


def _mapped(source: LayerGraph, options: Options) -> set[str]:
    """The layers of the source that the user has named, or a tensor of which."""
    if not options.map:
        return set()
    owners = {layer.name: layer.name for layer in source.layers} | {
        name: layer.name for name, layer in source.owner.items()
    }
    return {owners[name] for left, right in options.map for name, _ in mapped(left, right, owners)}


def _joined(context: Context, joiner: Joiner, refused: frozenset[str]) -> Mapping[str, Joined]:
    """Target unit -> what became of its tensors.

    Folding deals with affine chains; nothing enters a refused layer.
    """
    joined = {}
    for pair in context.pairs.values():
        source, target = context.source.by_name[pair.source], context.target.by_name[pair.target]
        is_folded = target.layer.op == "BatchNorm" and source.layer.op in AFFINE
        if target.has_weights and not is_folded and target.layer.name not in refused:
            joined[pair.target] = joiner.join(pair, source, target)
    return joined


def _exact(context: Context, joined: Mapping[str, Joined]) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Matches by role, then what folding makes of them; and what is to be said."""
    plain = {m.target: m for j in joined.values() for m in j.matches}
    folded, said_folded = fold_batchnorms(context)
    missing = [(context.pairs[name], t) for name, j in joined.items() for t in j.missing]
    zeros, said_zeros = zero_biases(context, missing)
    inward, said_inward = fold_into_targets(context, plain)
    neutral = unscaled_norms(context, missing)
    return (*neutral, *plain.values(), *folded, *zeros, *inward), (*said_folded, *said_inward, *said_zeros)
