"""The user's map over single tensors: forced matches, whatever the layers' pairs say; two sources for one target collide."""

from weightbridge.diagnostics import Finding, finding
from weightbridge.graph import LayerGraph
from weightbridge.matching.by_map import mapped
from weightbridge.matching.context import CERTAIN
from weightbridge.matching.values import Match


def mapped_tensors(
    source: LayerGraph, target: LayerGraph, user_map: tuple[tuple[str, str], ...]
) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Copies between tensors of equal shape that the map names, and WB209 for every target that two sources claim."""
    if not user_map:
        return (), ()
    shapes = {t.name: t.shape for t in source.tensors}
    wanted = {t.name: t.shape for t in target.tensors}
    claims: dict[str, list[str]] = {}
    for left, right in user_map:
        for s, t in mapped(left, right, shapes):
            if t in wanted and s not in claims.setdefault(t, []):
                claims[t].append(s)
    matches = tuple(
        Match(t, (s[0],), confidence=CERTAIN, evidence=("map",)) for t, s in claims.items() if len(s) == 1 and shapes[s[0]] == wanted[t]
    )
    collisions = tuple(
        finding("WB209", f"{t}: the map sends {' and '.join(s)} here", source=s[1], target=t, fix="make the patterns of --map disjoint")
        for t, s in claims.items()
        if len(s) > 1
    )
    return matches, collisions
