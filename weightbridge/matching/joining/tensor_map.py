"""The user's map over single tensors: forced matches, whatever the layers' pairs say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.boundary.globs import mapped
from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.confidence import CERTAIN
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.pairing.by_map import Map
from weightbridge.matching.values import Match


@dataclass(frozen=True, slots=True)
class Told:
    """What the map says of single tensors.

    Matches, pairs (source, target) that no exact transform joins, and collisions (WB209).
    """

    matches: tuple[Match, ...]
    misfits: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]


def mapped_tensors(joiner: Joiner, user_map: Map, found: Mapping[str, Match]) -> Told:
    """found: the matches without the map, by target.

    Where one of them says the same, it is how the tensor gets there.
    """
    matches: list[Match] = []
    misfits: list[tuple[str, str]] = []
    collisions: list[Finding] = []
    stacks = {frozenset(match.sources): match for match in found.values() if len(match.sources) > 1}
    for target, sources in _claims(joiner, user_map).items():
        stack = stacks.get(frozenset(sources))
        if stack is not None and _is_of_shape(joiner, target, stack.target):
            matches.append(
                replace(stack, target=target, confidence=CERTAIN, evidence=("map",), runners_up=())
            )
        elif len(sources) > 1:
            collisions.append(_collision(target, sources))
        elif match := _told(joiner, sources[0], target, found.get(target)):
            matches.append(match)
        else:
            misfits.append((sources[0], target))
    return Told(tuple(matches), tuple(misfits), tuple(collisions))


def _is_of_shape(joiner: Joiner, name: str, other: str) -> bool:
    tensors = joiner.target.tensor_by_name
    return tensors[name].shape == tensors[other].shape


def _collision(target: str, sources: Sequence[str]) -> Finding:
    message = f"{target}: the map sends {' and '.join(sources)} here"
    return finding(
        "WB209", message, source=sources[1], target=target, fix="make the patterns of the map disjoint"
    )


def _claims(joiner: Joiner, user_map: Map) -> dict[str, list[str]]:
    """The sources that the map sends to each target tensor."""
    claims: dict[str, list[str]] = {}
    for left, right in user_map:
        for source, target in mapped(left, right, joiner.source.owner):
            if target in joiner.target.owner and source not in claims.setdefault(target, []):
                claims[target].append(source)
    return claims


def _told(joiner: Joiner, source: str, target: str, found: Match | None) -> Match | None:
    """By the layout of the two layers, which a shape may hide (a square kernel).

    By the shape alone where none is known.
    """
    if found is not None and found.sources == (source,):
        return replace(found, confidence=CERTAIN, evidence=("map",), runners_up=())
    layers = joiner.source.owner[source], joiner.target.owner[target]
    given, wanted = joiner.source.tensor_by_name[source], joiner.target.tensor_by_name[target]
    transform = joiner.transform(*layers, given, wanted)
    if transform is None and given.shape == wanted.shape:
        transform = ("", {})
    if transform is None:
        return None
    return Match(target, (source,), *transform, confidence=CERTAIN, evidence=("map",))
