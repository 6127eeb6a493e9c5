"""Rows that stand for words: whether both sides' lookups know the same words, and the rows moved by word.

A row of an Embedding behind a lookup means the word with its number; no shape tells which word that is.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.joining.word_rows import MARKS, PLACE, compared, differ, moved_rows, words_of
from weightbridge.matching.values import Match
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.plan import Step

SPARE = 2  # rows that a table may have beside those of its words


@dataclass(frozen=True, slots=True)
class ByWord:
    """matches: those whose rows were moved, by target. findings: what is said of each pair of lookups."""

    matches: Mapping[str, Match] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def by_word(
    source: LayerGraph,
    target: LayerGraph,
    joined: Mapping[str, Match],
    misfits: Iterable[tuple[str, str]],
    *,
    move: bool,
) -> ByWord:
    """joined: the matches by target; misfits: pairs of tensors of other shapes; move: rows may move."""
    if not (_has_lookups(source) and _has_lookups(target)):
        return ByWord()
    readers = _readers(source, target, _candidates(joined, misfits))
    matches: dict[str, Match] = {}
    findings = []
    for (given, wanted), found in readers.items():
        lookups = source.by_name[given], target.by_name[wanted]
        moved = moved_rows(source, target, lookups, found) if move else {}
        doubted = _doubted(lookups, found, joined) if not moved else {}
        matches |= moved | doubted
        findings += _said(*lookups, [match.target for match in found], moved.keys())
    return ByWord(matches, tuple(findings))


def _candidates(joined: Mapping[str, Match], misfits: Iterable[tuple[str, str]]) -> list[Match]:
    """Tensors that are copied whole, or would be if their shapes were the same."""
    plain = [m for m in joined.values() if len(m.sources) == 1 and not m.transform]
    return [*(Match(t, (s,)) for s, t in misfits if t not in joined), *plain]


def _readers(
    source: LayerGraph, target: LayerGraph, candidates: Iterable[Match]
) -> dict[tuple[str, str], list[Match]]:
    """The matches whose rows stand for the words of each pair of lookups."""
    readers: dict[tuple[str, str], list[Match]] = {pair: [] for pair in _by_name(source, target)}
    for found in candidates:
        pair = _lookups_of(source, target, found)
        if pair is not None:
            readers.setdefault(pair, []).append(found)
    return readers


def _doubted(
    lookups: tuple[Layer, Layer], found: Iterable[Match], joined: Mapping[str, Match]
) -> dict[str, Match]:
    """Copies of rows for other words are no sure ones."""
    if not differ(*lookups):
        return {}
    kept = [match for match in found if match.target in joined]
    return {match.target: replace(match, confidence=min(match.confidence, DOUBTFUL)) for match in kept}


def _has_lookups(graph: LayerGraph) -> bool:
    return any(MARKS in layer.details for layer in graph.layers)


def _by_name(source: LayerGraph, target: LayerGraph) -> Iterator[tuple[str, str]]:
    """Lookups of one name, whatever reads them."""
    for layer in target.layers:
        given = source.by_name.get(layer.name)
        if MARKS in layer.details and given is not None and MARKS in given.details:
            yield layer.name, layer.name


def _lookups_of(source: LayerGraph, target: LayerGraph, found: Match) -> tuple[str, str] | None:
    """The lookups whose words both tensors' rows stand for; None where there is not one on each side."""
    given = _lookup_above(source, source.owner[found.sources[0]])
    wanted = _lookup_above(target, target.owner[found.target])
    return None if given is None or wanted is None else (given.name, wanted.name)


def _lookup_above(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The one lookup that a layer reads, with nothing that has weights between."""
    if MARKS in layer.details:
        return layer
    if not graph.has_flow:
        return _lookup_beside(graph, layer)
    found: list[Layer] = []
    waiting, seen = list(graph.parents[layer.name]), {layer.name}
    while waiting:
        name = waiting.pop()
        above = graph.by_name[name]
        if name in seen:
            continue
        seen.add(name)
        if MARKS in above.details:
            found.append(above)
        elif not above.tensors:
            waiting += graph.parents[name]
    return found[0] if len(found) == 1 else None


def _lookup_beside(graph: LayerGraph, layer: Layer) -> Layer | None:
    """Without data flow: the one lookup, for the one matrix that has about a row for each of its words."""
    lookups = [other for other in graph.layers if MARKS in other.details]
    if len(lookups) != 1:
        return None
    rows = len(words_of(lookups[0]))
    tables = [t for t in graph.tensors if len(t.shape) == 2 and rows <= t.shape[0] <= rows + SPARE]
    return lookups[0] if rows and len(tables) == 1 and tables[0] in layer.tensors else None


def _said(given: Layer, wanted: Layer, readers: Sequence[str], moved: Collection[str]) -> list[Finding]:
    """What is said of a pair of lookups. readers: the tensors whose rows stand for their words."""
    if not (words_of(given) and words_of(wanted)):
        return [_given_along(given, wanted)] if are_given(given, wanted) else _unknown(given, wanted)
    if not differ(given, wanted):
        return []
    return [_moved_finding(given, wanted, moved) if moved else _other_words(given, wanted, readers)]


def are_given(given: Layer, wanted: Layer) -> bool:
    """Whether the target's lookup, which was never adapted, gets the source's words."""
    room = wanted.attributes.get("max_tokens")
    fits = not isinstance(room, int) or len(words_of(given)) <= room
    is_alike = given.class_name == wanted.class_name and given.details[MARKS] == wanted.details[MARKS]
    is_open = bool(words_of(given)) and not words_of(wanted) and PLACE in wanted.details
    return is_open and is_alike and fits


def given_words(source: LayerGraph, target: LayerGraph, steps: Iterable[Step]) -> dict[str, tuple[str, ...]]:
    """The words that lookups of the target get from the source, by the layers' names."""
    if not (_has_lookups(source) and _has_lookups(target)):
        return {}
    single = [Match(step.target, step.sources) for step in steps if len(step.sources) == 1]
    pairs = [(source.by_name[s], target.by_name[t]) for s, t in _readers(source, target, single)]
    return {wanted.name: words_of(given) for given, wanted in pairs if are_given(given, wanted)}


def _given_along(given: Layer, wanted: Layer) -> Finding:
    count = len(words_of(given))
    message = (
        f"{wanted.name}: was never adapted, and gets the {count} words of {given.name} in a .keras OUTPUT"
    )
    return with_severity(finding("WB210", message, source=given.name, target=wanted.name), "note")


def _moved_finding(given: Layer, wanted: Layer, moved: Collection[str]) -> Finding:
    where = {"source": given.name, "target": wanted.name}
    rows = f"the rows of {', '.join(moved)} were moved to the places of their words"
    message = f"{wanted.name}: {rows}: {_counts(given, wanted)}"
    found = compared(given, wanted)
    if not (found.only_source or found.only_target):
        return with_severity(finding("WB210", message, **where), "note")
    fix = "new words have the row of an unknown one, words of the source alone are dropped: train or add them"
    return finding("WB302", message, fix=fix, **where)


def _other_words(given: Layer, wanted: Layer, readers: Sequence[str]) -> Finding:
    other = f"{wanted.name}: its vocabulary is another than that of {given.name}: {_counts(given, wanted)}"
    rows = f"; the rows of {', '.join(readers)} would stand for other words" if readers else ""
    return finding(
        "WB404",
        other + _first(given, wanted) + rows,
        source=given.name,
        target=wanted.name,
        fix=_fix(readers),
    )


def _counts(given: Layer, wanted: Layer) -> str:
    found = compared(given, wanted)
    sides = f"{len(found.only_source)} of the source alone, {len(found.only_target)} of the target alone"
    return f"{len(found.elsewhere)} words at other places, {sides}"


def _fix(readers: Sequence[str]) -> str:
    build = "build the target with the source's vocabulary"
    return f"move the rows to the places of their words with --map-words, or {build}" if readers else build


def _first(given: Layer, wanted: Layer) -> str:
    """The first number that means two words."""
    pairs = enumerate(zip(words_of(given), words_of(wanted), strict=False))
    texts = (f"; number {n} is {a!r} in the source and {b!r} in the target" for n, (a, b) in pairs if a != b)
    return next(texts, "")


def _unknown(given: Layer, wanted: Layer) -> list[Finding]:
    """Where one side's file does not hold the words of a lookup that the other side's has."""
    if not (words_of(given) or words_of(wanted)):
        return []
    layer, other = (wanted, given) if words_of(given) else (given, wanted)
    side = "target" if words_of(given) else "source"
    held = f"the {side} does not hold its words, {other.name} has {len(words_of(other))}"
    message = f"{layer.name}: {held}: whether numbers mean the same words is not known"
    fix = "adapt it on the same words, and save the model as .keras"
    found = finding("WB404", message, source=given.name, target=wanted.name, fix=fix)
    return [with_severity(found, "warning")]
