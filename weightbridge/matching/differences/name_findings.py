"""What the pairs say about names and order: WB204, WB205, WB206, WB210."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from weightbridge.diagnostics import Finding, finding, listed
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.context import Context, key
from weightbridge.matching.pairing.names import difference
from weightbridge.matching.units.unit_names import layer_of
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.graph import LayerGraph

SHOWN = 8
CELL = re.compile(r"/(lstm|gru|simple_rnn)_cell(_\d+)?$")
TIED = "nothing to do where the two are tied; else name the other one's source with --map SOURCE=TARGET or declare it fresh"
ANSWER = "answer the question in the plan file (`weightbridge plan`), or say which with --map SOURCE=TARGET"


def said_of_pairs(context: Context, pairs: Sequence[LayerPair]) -> tuple[Finding, ...]:
    """All findings about names and order that follow from the final pairs of units with weights."""
    weighted = [p for p in pairs if context.target.by_name[p.target].has_weights]
    return (
        *_renamed(context, weighted),
        *_ambiguous(weighted),
        *_one_of_several(context, weighted),
        *_shifted(context, weighted),
    )


def said_of_tensors(
    target: LayerGraph, matches: Iterable[Match], pairs: Iterable[LayerPair]
) -> Iterable[Finding]:
    """WB204 for tensors that are matched by themselves (parts of a fused matrix, stacks, lone tensors), layer
    by layer.
    """
    told = {layer_of(p.target) for p in pairs}
    layers: dict[str, list[Match]] = {}
    for match in matches:
        layer = target.owner[match.target].name
        if not match.is_claimed and layer not in told:
            layers.setdefault(layer, []).append(match)
    for group in layers.values():
        first = group[0]
        if "tied" in first.evidence:
            message = f"{first.target}: the source has {first.sources[0]} once, the target two of its kind; both get its weights"
            yield finding("WB211", message, source=first.sources[0], target=first.target, fix=TIED)
            continue
        named = ", ".join(
            f"{m.target} <- {m.sources[0]}{' and so on' if len(m.sources) > 1 else ''}" for m in group[:SHOWN]
        )
        others = (
            ", ".join(dict.fromkeys(n for m in group for n in m.runners_up))
            or "the same tensor in another order of its parts"
        )
        message = f"{named}: as well could be {others}; {' and '.join(first.evidence)} decided (confidence {first.confidence:g})"
        yield finding("WB204", message, source=first.sources[0], target=first.target, fix=ANSWER)


def _renamed(context: Context, pairs: Sequence[LayerPair]) -> tuple[Finding, ...]:
    renamed = [(layer_of(p.source), layer_of(p.target)) for p in pairs if _bare(p.source) != _bare(p.target)]
    if not renamed:
        return ()
    named = listed([f"{s} -> {t}" for s, t in renamed], SHOWN)
    return (
        finding(
            "WB206",
            f"{len(renamed)} of {len(pairs)} layers have other names; they differ by {difference(renamed)}: {named}",
        ),
    )


def _bare(name: str) -> str:
    """A layer's name without the cell that only some files name."""
    return CELL.sub("", layer_of(name))


def _ambiguous(pairs: Sequence[LayerPair]) -> Iterable[Finding]:
    """One finding per group of pairs that share their candidates."""
    groups: dict[frozenset[str], list[LayerPair]] = {}
    for pair in pairs:
        if not pair.is_claimed and pair.runners_up:
            groups.setdefault(frozenset((pair.source, *pair.runners_up)), []).append(pair)
    for candidates, group in groups.items():
        named = ", ".join(f"{layer_of(p.target)} <- {layer_of(p.source)}" for p in group[:SHOWN])
        others = ", ".join(sorted(layer_of(c) for c in candidates)[:SHOWN])
        yield finding(
            "WB204",
            f"{named}: as well could be any of {others}; {' and '.join(group[0].evidence)} decided (confidence {group[0].confidence:g})",
            source=layer_of(group[0].source),
            target=layer_of(group[0].target),
            fix=ANSWER,
        )


def _one_of_several(context: Context, pairs: Sequence[LayerPair]) -> Iterable[Finding]:
    """A source that would fit another target layer as well, which stays empty."""
    spare: dict[str, list[str]] = {}
    for unit in context.open_target():
        spare.setdefault(key(unit), []).append(layer_of(unit.name))
    for pair in pairs:
        others = spare.get(key(context.target.by_name[pair.target]), [])
        if pair.confidence <= DOUBTFUL and not pair.runners_up and others:
            yield finding(
                "WB204",
                f"{layer_of(pair.target)} <- {layer_of(pair.source)}: it would fit {', '.join(others[:SHOWN])} as well; "
                f"{' and '.join(pair.evidence)} decided (confidence {pair.confidence:g})",
                source=layer_of(pair.source),
                target=layer_of(pair.target),
                fix="if it is another one, say which with --map SOURCE=TARGET",
            )


def _shifted(context: Context, pairs: Sequence[LayerPair]) -> Iterable[Finding]:
    """What loading by position would do instead: fill wrong layers after an insertion, or swap those that
    stand in another order.
    """
    chosen = {p.target: p.source for p in pairs}
    wrong = [t for t, s in _by_position(context).items() if chosen.get(t, s) != s or (t not in chosen and s)]
    if not wrong:
        return
    inserted = [u.name for u in context.target.weighted if u.name not in chosen]
    removed = [u.name for u in context.source.weighted if u.name not in context.taken]
    if inserted or removed:
        yield _insertion(inserted, removed, wrong)
    misplaced = frozenset(wrong)
    moved = [p for p in pairs if p.target in misplaced] if not (inserted or removed) else []
    if moved:
        named = ", ".join(f"{layer_of(p.source)} -> {layer_of(p.target)}" for p in moved[:SHOWN])
        how = "names" if "name" in moved[0].evidence else "structure"
        yield finding(
            "WB210",
            f"the layers stand in another order in the two files; matched by {how}: {named}",
            source=layer_of(moved[0].source),
            target=layer_of(moved[0].target),
        )


def _insertion(inserted: Sequence[str], removed: Sequence[str], wrong: Sequence[str]) -> Finding:
    parts = [
        f"the {side} has {', '.join(map(layer_of, names[:SHOWN]))}{' and more' if len(names) > SHOWN else ''} in addition"
        for side, names in (("target", inserted), ("source", removed))
        if names
    ]
    return finding(
        "WB205",
        f"{' and '.join(parts)}; loading by position would fill {len(wrong)} other layers wrongly, from {layer_of(wrong[0])} on",
        source=layer_of(removed[0]) if removed else "",
        target=layer_of(inserted[0]) if inserted else "",
        fix="nothing to do: layers are matched, not counted",
    )


def _by_position(context: Context) -> Mapping[str, str]:
    """target -> source as a loader does that counts: the n-th layer of a family, where the shapes happen to
    fit.
    """
    if context.source.graph.framework != "keras" or context.target.graph.framework != "keras":
        return {}
    counted = _counted(context.source)
    found = {}
    for place, (layer, parts) in _counted(context.target).items():
        other, candidates = counted.get(place, ("", ()))
        named = {c.name.removeprefix(other): c for c in candidates}
        for part, nth in zip_longest(
            parts, candidates[: len(parts)]
        ):  # a layer's own parts are loaded by their names, else in order
            candidate = named.get(part.name.removeprefix(layer), nth)
            if candidate is not None and key(candidate) == key(part):
                found[part.name] = candidate.name
    return found


def _counted(reduced: Reduced) -> Mapping[tuple[str, int], tuple[str, tuple[Unit, ...]]]:
    """(family, number) -> a layer and its units: the parts of a wrapper count as the wrapper."""
    layers: dict[str, list[Unit]] = {}
    for unit in reduced.weighted:
        layers.setdefault(_whole(reduced.graph, unit.name), []).append(unit)
    places: Counter[str] = Counter()
    found = {}
    for name, units in layers.items():
        layer = reduced.graph.by_name.get(name)
        family = layer.class_name if layer is not None and layer not in units[0].members else units[0].family
        found[family, places[family]] = (name, tuple(units))
        places[family] += 1
    return found


def _whole(graph: LayerGraph, name: str) -> str:
    """The outermost layer that a unit is a part of; the unit itself where it is none's."""
    above = name.rpartition("/")[0]
    while above in graph.by_name:
        name, above = above, above.rpartition("/")[0]
    return name


def permuted_storage(
    source: LayerGraph, target: LayerGraph, tensor_pairs: Mapping[str, str]
) -> tuple[Finding, ...]:
    """WB210 for each top-level layer of a legacy file whose weights are listed in another order than the
    target lists them.
    """
    return tuple(
        finding(
            "WB210",
            f"{scope}: the file lists this layer's weights in another order ({', '.join(order[:4])}, ...) than the target has; "
            "matched by name, not by position",
            source=scope,
            target=scope,
        )
        for scope, order in _reordered(source, target, tensor_pairs)
    )


def _reordered(
    source: LayerGraph, target: LayerGraph, tensor_pairs: Mapping[str, str]
) -> Iterable[tuple[str, list[str]]]:
    back = {s: t for t, s in tensor_pairs.items()}
    rank = {name: n for n, name in enumerate(target.stored_order or _legacy_order(target))}
    scopes: dict[str, list[str]] = {}
    for name in source.stored_order:
        if back.get(name) in rank and back[name].split("/")[0] not in target.by_name:
            scopes.setdefault(name.split("/")[0], []).append(name)
    for scope, names in scopes.items():
        places = [rank[back[n]] for n in names]
        if places != sorted(places):
            yield scope, [n.split("/", 1)[-1] for n in names]


def _legacy_order(graph: LayerGraph) -> Iterable[str]:
    """Trainable weights first, as Keras lists those of a nested model when it reads a legacy file."""
    return (
        t.name for t in sorted(graph.tensors, key=lambda t: not t.trainable or t.role.startswith("moving_"))
    )
