"""The user's map over single tensors: forced matches, whatever the layers' pairs say; two sources for one
target collide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from weightbridge.diagnostics import Finding, finding
from weightbridge.matching.confidence import CERTAIN
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.pairing.by_map import Map, mapped
from weightbridge.matching.values import Match


@dataclass(frozen=True, slots=True)
class Told:
    """What the map says of single tensors: matches, pairs (source, target) that no exact transform joins, and
    collisions (WB209).
    """

    matches: tuple[Match, ...]
    misfits: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]


def mapped_tensors(joiner: Joiner, user_map: Map, found: Mapping[str, Match]) -> Told:
    """found: the matches without the map, by target. Where one of them says the same, it is how the tensor
    gets there.
    """
    claims = _claims(joiner, user_map)
    told = {t: _told(joiner, s[0], t, found.get(t)) for t, s in claims.items() if len(s) == 1}
    collisions = (
        finding(
            "WB209",
            f"{t}: the map sends {' and '.join(s)} here",
            source=s[1],
            target=t,
            fix="make the patterns of --map disjoint",
        )
        for t, s in claims.items()
        if len(s) > 1
    )
    misfits = tuple((claims[t][0], t) for t, match in told.items() if match is None)
    return Told(tuple(match for match in told.values() if match), misfits, tuple(collisions))


def _claims(joiner: Joiner, user_map: Map) -> dict[str, list[str]]:
    """The sources that the map sends to each target tensor."""
    claims: dict[str, list[str]] = {}
    for left, right in user_map:
        for s, t in mapped(left, right, joiner.source.owner):
            if t in joiner.target.owner and s not in claims.setdefault(t, []):
                claims[t].append(s)
    return claims


def _told(joiner: Joiner, s: str, t: str, found: Match | None) -> Match | None:
    """By the layout of the two layers, which a shape may hide (a square kernel); by the shape alone where
    none is known.
    """
    if found is not None and found.sources == (s,):
        return replace(found, confidence=CERTAIN, evidence=("map",), runners_up=())
    layers = joiner.source.owner[s], joiner.target.owner[t]
    given, wanted = joiner.source.tensor_by_name[s], joiner.target.tensor_by_name[t]
    how = joiner.transform(*layers, given, wanted)
    if how is None and given.shape == wanted.shape:
        how = ("", {})
    return None if how is None else Match(t, (s,), *how, confidence=CERTAIN, evidence=("map",))
