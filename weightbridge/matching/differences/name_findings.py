"""What the pairs say about names and order: WB204, WB205, WB206, WB210."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from weightbridge.boundary.shell import option
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.context import Context, key
from weightbridge.matching.pairing.names import difference
from weightbridge.matching.units.unit_names import layer_of
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.graph import LayerGraph

SHOWN = 8
CELL = re.compile(r"/(lstm|gru|simple_rnn)_cell(_\d+)?$")
ANSWER = "look at these steps of the plan, and change what is wrong in its file"


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
    """WB204 for tensors that are matched by themselves, layer by layer.

    These are parts of a fused matrix, stacks, and single tensors.
    """
    told = {layer_of(pair.target) for pair in pairs}
    layers: dict[str, list[Match]] = {}
    for match in matches:
        layer = target.owner[match.target].name
        if not match.is_claimed and layer not in told:
            layers.setdefault(layer, []).append(match)
    for group in layers.values():
        yield _both_filled(group[0]) if "tied" in group[0].evidence else _doubted(group)


def _both_filled(match: Match) -> Finding:
    """Two tensors of the target that get the same weights."""
    source = match.sources[0]
    message = (
        f"{match.target}: the source has {source} once, the target two of its kind; both get its weights"
    )
    fix = f"nothing to do where the two are tied; else declare this one: {option('--fresh', match.target)}"
    return finding("WB211", message, source=source, target=match.target, fix=fix)


def _doubted(group: Sequence[Match]) -> Finding:
    """Tensors of one layer that others would fit as well."""
    first = group[0]
    named = ", ".join(f"{match.target} <- {_sources_text(match)}" for match in group[:SHOWN])
    runners_up = ", ".join(dict.fromkeys(name for match in group for name in match.runners_up))
    rivals = runners_up or "the same tensor in another order of its parts"
    message = f"{named}: as well could be {rivals}; {_decided(first.evidence, first.confidence)}"
    return finding("WB204", message, source=first.sources[0], target=first.target, fix=ANSWER)


def _sources_text(match: Match) -> str:
    return f"{match.sources[0]} and so on" if len(match.sources) > 1 else match.sources[0]


def _decided(evidence: Iterable[str], confidence: float) -> str:
    return f"{' and '.join(evidence)} decided (confidence {confidence:g})"


def _renamed(context: Context, pairs: Sequence[LayerPair]) -> tuple[Finding, ...]:
    renamed = [(layer_of(p.source), layer_of(p.target)) for p in pairs if _bare(p.source) != _bare(p.target)]
    if not renamed:
        return ()
    named = listed([f"{source} -> {target}" for source, target in renamed], SHOWN)
    count = f"{len(renamed)} of {len(pairs)} layers have other names"
    return (finding("WB206", f"{count}; they differ by {difference(renamed)}: {named}"),)


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
        first = group[0]
        named = ", ".join(f"{layer_of(pair.target)} <- {layer_of(pair.source)}" for pair in group[:SHOWN])
        rivals = ", ".join(sorted(map(layer_of, candidates))[:SHOWN])
        message = f"{named}: as well could be any of {rivals}; {_decided(first.evidence, first.confidence)}"
        source, target = layer_of(first.source), layer_of(first.target)
        yield finding("WB204", message, source=source, target=target, fix=ANSWER)


def _one_of_several(context: Context, pairs: Sequence[LayerPair]) -> Iterable[Finding]:
    """A source that would fit another target layer as well, which stays empty."""
    spare: dict[str, list[str]] = {}
    for unit in context.open_target():
        spare.setdefault(key(unit), []).append(layer_of(unit.name))
    for pair in pairs:
        rivals = spare.get(key(context.target.by_name[pair.target]), [])
        if pair.confidence <= DOUBTFUL and not pair.runners_up and rivals:
            source, target = layer_of(pair.source), layer_of(pair.target)
            also = f"it would fit {', '.join(rivals[:SHOWN])} as well"
            message = f"{target} <- {source}: {also}; {_decided(pair.evidence, pair.confidence)}"
            this, other = f"{source}={target}", f"{source}={rivals[0]}"
            fix = f"say {option('--map', this)} where this is right, or {option('--map', other)}"
            yield finding("WB204", message, source=source, target=target, fix=fix)


def _shifted(context: Context, pairs: Sequence[LayerPair]) -> Iterable[Finding]:
    """What loading by position would do: fill wrong layers after an insertion, or swap reordered ones."""
    chosen = {pair.target: pair.source for pair in pairs}
    wrong = _wrong_by_position(context, chosen)
    if not wrong:
        return
    inserted = [unit.name for unit in context.target.weighted if unit.name not in chosen]
    removed = [unit.name for unit in context.source.weighted if unit.name not in context.taken]
    if inserted or removed:
        yield _insertion(inserted, removed, wrong)
    else:
        misplaced = frozenset(wrong)
        yield from _moved([pair for pair in pairs if pair.target in misplaced])


def _wrong_by_position(context: Context, chosen: Mapping[str, str]) -> list[str]:
    """The target units that loading by position would fill from another source than the chosen one."""
    by_position = _by_position(context)
    return [target for target, source in by_position.items() if chosen.get(target) != source]


def _moved(pairs: Sequence[LayerPair]) -> Iterable[Finding]:
    """WB210, where pairs stand in another order in the two files."""
    if not pairs:
        return
    first = pairs[0]
    named = ", ".join(f"{layer_of(pair.source)} -> {layer_of(pair.target)}" for pair in pairs[:SHOWN])
    how = "names" if "name" in first.evidence else "structure"
    message = f"the layers stand in another order in the two files; matched by {how}: {named}"
    yield finding("WB210", message, source=layer_of(first.source), target=layer_of(first.target))


def _insertion(inserted: Sequence[str], removed: Sequence[str], wrong: Sequence[str]) -> Finding:
    sides = [("target", inserted), ("source", removed)]
    parts = " and ".join(_in_addition(side, names) for side, names in sides if names)
    consequence = f"loading by position would fill {len(wrong)} other layers wrongly"
    return finding(
        "WB205",
        f"{parts}; {consequence}, from {layer_of(wrong[0])} on",
        source=layer_of(removed[0]) if removed else "",
        target=layer_of(inserted[0]) if inserted else "",
        fix="nothing to do: layers are matched, not counted",
    )


def _in_addition(side: str, names: Sequence[str]) -> str:
    more = " and more" if len(names) > SHOWN else ""
    return f"the {side} has {', '.join(map(layer_of, names[:SHOWN]))}{more} in addition"


def _by_position(context: Context) -> Mapping[str, str]:
    """target -> source as a loader does that counts.

    It takes the n-th layer of a family, where the shapes happen to fit.
    """
    if context.source.graph.framework != "keras" or context.target.graph.framework != "keras":
        return {}
    counted = _counted(context.source)
    by_position = {}
    for place, (layer, parts) in _counted(context.target).items():
        source_layer, candidates = counted.get(place, ("", ()))
        for part, candidate in _loaded_parts(layer, parts, source_layer, candidates):
            if candidate is not None and key(candidate) == key(part):
                by_position[part.name] = candidate.name
    return by_position


def _loaded_parts(
    layer: str, parts: Sequence[Unit], source_layer: str, candidates: Sequence[Unit]
) -> list[tuple[Unit, Unit | None]]:
    """A layer's parts with what is loaded into each: the part of the same name, else the next in order."""
    named = {candidate.name.removeprefix(source_layer): candidate for candidate in candidates}
    in_order = zip_longest(parts, candidates[: len(parts)])
    return [(part, named.get(part.name.removeprefix(layer), nth)) for part, nth in in_order]


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
