"""`match`: two graphs in, pairs of layers, exact matches of tensors and findings out. Reads no bytes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

from weightbridge.diagnostics import Finding
from weightbridge.matching.context import Context
from weightbridge.matching.differences.functions import differences, is_variant, said
from weightbridge.matching.differences.name_findings import (
    permuted_storage,
    said_of_pairs,
    said_of_tensors,
)
from weightbridge.matching.joining.epsilons import equal_epsilons, made_up_for
from weightbridge.matching.joining.fold_norms import fold_into_targets
from weightbridge.matching.joining.folded_norms import fold_batchnorms
from weightbridge.matching.joining.hidden_flatten import doubted_flattens
from weightbridge.matching.joining.join import Joined, Joiner
from weightbridge.matching.joining.tensor_map import mapped_tensors
from weightbridge.matching.joining.tying import said_of_ties, untied_pairs
from weightbridge.matching.joining.zero_biases import zero_biases
from weightbridge.matching.pairing.by_map import by_map, mapped
from weightbridge.matching.pairing.by_mapping import by_mapping, without_told
from weightbridge.matching.pairing.by_name import by_name, by_suffix
from weightbridge.matching.pairing.by_neighbours import by_neighbours
from weightbridge.matching.pairing.by_norm_owner import by_norm_owner
from weightbridge.matching.pairing.by_order import by_order, layers_by_order
from weightbridge.matching.pairing.by_shape import by_shape
from weightbridge.matching.pairing.by_structure import by_structure
from weightbridge.matching.pairing.doubt import doubted
from weightbridge.matching.pairing.keras_order import is_listed_alike
from weightbridge.matching.pairing.norm_owners import norm_owners
from weightbridge.matching.units.if_branches import doubted_branches
from weightbridge.matching.units.reduce import reduce_both
from weightbridge.matching.units.unit_names import layer_of
from weightbridge.matching.uses.by_uses import by_uses
from weightbridge.matching.values import LayerPair, Match, Matching
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import AFFINE
from weightbridge.options import Options
from weightbridge.rules.layouts import load_rules
from weightbridge.rules.mappings import load_mappings

Matcher = Callable[[Context], tuple[LayerPair, ...]]
NAMED: tuple[Matcher, ...] = (by_map, by_name)
PLACED: tuple[Matcher, ...] = (
    by_structure,
    by_suffix,
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
    joiner = Joiner(rules, source, target)
    told = by_mapping(load_mappings(options.rules), source, target)
    reduced = reduce_both(source, target, _mapped(source, options))
    blank = Context(*reduced, {}, options.map, is_listed_alike=is_listed_alike(*reduced))
    context = without_told(blank, told)
    for matcher in NAMED:
        context = context.with_pairs(matcher(context))
    roles = by_uses(context, joiner)
    context = context.with_pairs(roles.pairs).closing(roles.closed_source, roles.closed_target)
    for matcher in PLACED:
        context = context.with_pairs(matcher(context))
    untied = untied_pairs(context)
    context = replace(
        context,
        pairs={p.target: p for p in doubted_branches((*doubted(context), *untied), context.source.rivals)},
    )
    context = replace(context, norm_owners=norm_owners(context))
    paired = [
        (p.source, p.target) for p in context.pairs.values() if context.target.by_name[p.target].has_weights
    ]
    differing = differences(source, target, paired)
    refused = frozenset(d.target for d in differing if is_variant(d, target.by_name[d.target].op))
    joined = _joined(context, joiner, refused)
    exact, findings = _exact(context, joined)
    likely, suspects = doubted_flattens(context, {m.target: m for m in (*roles.matches, *exact)})
    forced = mapped_tensors(joiner, options.map, likely)
    refuted = {target for _, target in forced.misfits}
    matches = {t: m for t, m in likely.items() if t not in refuted} | {
        m.target: m for m in (*told, *forced.matches)
    }
    if options.adapt != "none":
        matches |= equal_epsilons(matches, differing, target)
    copied = {m.target: m.sources[0] for m in matches.values() if m.sources}
    return Matching(
        pairs=tuple(
            replace(p, source=layer_of(p.source), target=layer_of(p.target)) for p in context.pairs.values()
        ),
        matches=tuple(matches[t.name] for t in target.tensors if t.name in matches),
        misfits=tuple(
            dict.fromkeys(
                m
                for m in (*forced.misfits, *(m for j in joined.values() for m in j.misfits))
                if m[1] not in matches
            )
        ),
        findings=(
            *said_of_pairs(context, tuple(context.pairs.values())),
            *said_of_tensors(target, (matches[m.target] for m in roles.matches), context.pairs.values()),
            *findings,
            *said(differing, target, made_up_for(matches.values(), target)),
            *(f for f in suspects if matches.get(f.target) is likely[f.target]),
            *forced.findings,
            *said_of_ties(context, untied),
            *permuted_storage(source, target, copied),
        ),
        refused=refused,
    )


def _mapped(source: LayerGraph, options: Options) -> set[str]:
    """The layers of the source that the user has named, or a tensor of which."""
    if not options.map:
        return set()
    owners = {layer.name: layer.name for layer in source.layers} | {
        name: layer.name for name, layer in source.owner.items()
    }
    return {owners[name] for left, right in options.map for name, _ in mapped(left, right, owners)}


def _joined(context: Context, joiner: Joiner, refused: frozenset[str]) -> Mapping[str, Joined]:
    """target unit -> what became of its tensors. Affine chains are the business of folding; nothing enters a
    refused layer.
    """
    found = {}
    for pair in context.pairs.values():
        unit, given = context.target.by_name[pair.target], context.source.by_name[pair.source]
        is_affine = unit.layer.op == "BatchNorm" and given.layer.op in AFFINE
        if unit.has_weights and not is_affine and unit.layer.name not in refused:
            found[pair.target] = joiner.join(pair, given, unit)
    return found


def _exact(context: Context, joined: Mapping[str, Joined]) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Matches by role, then what folding makes of them; and what is to be said."""
    plain = {m.target: m for j in joined.values() for m in j.matches}
    folded, said_folded = fold_batchnorms(context)
    missing = [(context.pairs[name], t) for name, j in joined.items() for t in j.missing]
    zeros, said_zeros = zero_biases(context, missing)
    inward, said_inward = fold_into_targets(context, plain)
    return (*plain.values(), *folded, *zeros, *inward), (*said_folded, *said_inward, *said_zeros)
