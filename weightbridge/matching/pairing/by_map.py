"""The user's map: `--map SOURCE=TARGET`, globs over names of layers and tensors, before any other evidence."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from weightbridge.errors import UsageError
from weightbridge.matching.confidence import CERTAIN
from weightbridge.matching.context import Context
from weightbridge.matching.units.units import Reduced
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import LayerGraph

Map = tuple[tuple[str, str], ...]


def by_map(context: Context) -> tuple[LayerPair, ...]:
    """One pair per layer of the source that a pattern names, itself or by a tensor, and whose counterpart the
    target has.
    """
    if not context.user_map:
        return ()
    sources = [u.name for u in context.source.weighted]
    targets = {u.name for u in context.target.weighted}
    layers = [
        (s, t) for left, right in context.user_map for s, t in mapped(left, right, sources) if t in targets
    ]
    return tuple(LayerPair(s, t, CERTAIN, ("map",)) for s, t in (*layers, *_by_tensors(context)))


def _by_tensors(context: Context) -> list[tuple[str, str]]:
    """Layers that belong together because a tensor of one goes into the other, unless the map spreads a layer
    over several.
    """
    owners, wanted = _owners(context.source), _owners(context.target)
    said = ((s, t) for left, right in context.user_map for s, t in mapped(left, right, owners) if t in wanted)
    pairs = list(dict.fromkeys((owners[s], wanted[t]) for s, t in said))
    sources, targets = Counter(s for s, _ in pairs), Counter(t for _, t in pairs)
    return [(s, t) for s, t in pairs if sources[s] == targets[t] == 1]


def _owners(graph: Reduced) -> Mapping[str, str]:
    """The unit of each tensor that belongs to one unit alone."""
    units = Counter(tensor.name for unit in graph.weighted for _, tensor in unit.tensors)
    return {
        tensor.name: unit.name
        for unit in graph.weighted
        for _, tensor in unit.tensors
        if units[tensor.name] == 1
    }


def mapped(left: str, right: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """(source, target) names that `left=right` joins: the n-th `*` of the right takes what the n-th `*` of
    the left met.

    Raises UsageError where the right has more stars than the left.
    """
    if right.count("*") > left.count("*"):
        raise UsageError(
            f"--map {left}={right}: the target has more * than the source", fix="use as many * on both sides"
        )
    pattern = re.compile(".*".join(f"{re.escape(part)}" for part in left.split("*")).replace(".*", "(.*)"))
    found = []
    for name in names:
        match = pattern.fullmatch(name)
        if match:
            found.append((name, _filled(right, match.groups())))
    return found


def _filled(pattern: str, parts: Iterable[str]) -> str:
    stars = iter(parts)
    return re.sub(r"\*", lambda _: next(stars), pattern)


def check_map(source: LayerGraph, target: LayerGraph, user_map: Map) -> None:
    """Raises UsageError for a pattern that joins nothing: what a user has said may not be passed over in
    silence.
    """
    sources, targets = _names(source), _names(target)
    for left, right in user_map:
        met = mapped(left, right, sources)
        if not met:
            raise UsageError(
                f"--map {left}={right}: the source has no {left!r}{_near(left, sources)}", fix=_LISTED
            )
        if not any(t in targets for _, t in met):
            wanted = met[0][1]
            raise UsageError(
                f"--map {left}={right}: the target has no {wanted!r}{_near(wanted, targets)}", fix=_LISTED
            )


_LISTED = "`weightbridge inspect MODEL` lists the names of layers and tensors"


def _names(graph: LayerGraph) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*graph.by_name, *graph.owner)))


def _near(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, tuple(names), n=3, cutoff=0.4)
    return f"; near it: {', '.join(near)}" if near else ""
