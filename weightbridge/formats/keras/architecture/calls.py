"""The calls of a functional model in an order in which each comes after those that it needs."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.config import MODELS, ConfigLayer


@dataclass(frozen=True, slots=True)
class Calls:
    """How many calls each layer of a model has, and the number of its first one, inside the model and at its
    outputs.

    A functional model is call 0 of itself: older Keras counts its calls in another model from 1, Keras 3 does
    so at outputs alone.
    """

    count: Mapping[str, int]
    inside: Mapping[str, int]
    outside: Mapping[str, int]

    def number(self, reference: Reference, *, output: bool = False) -> int:
        """Which call a reference means, from 0; -1 where there is no such call."""
        count = self.count.get(reference.layer, 0)
        number = reference.node - (self.outside if output else self.inside).get(reference.layer, 0)
        if 0 <= number < count:
            return number
        return 0 if count == 1 else -1


def calls_of(model: ConfigLayer) -> Calls:
    """The numbering of a functional model's calls."""
    count = {layer.name: len(layer.calls) or 1 for layer in model.layers}
    nested = {layer.name: layer for layer in model.layers if layer.kind in MODELS}
    older = dict.fromkeys(_counted_from_one(model, nested), 1)
    functional = [name for name, layer in nested.items() if name in older or layer.kind == "functional"]
    return Calls(count, older, dict.fromkeys(functional, 1))


def _counted_from_one(model: ConfigLayer, nested: Iterable[str]) -> list[str]:
    """The nested models whose calls older Keras counts from 1: nothing refers to a call 0."""
    calls = [call for layer in model.layers for call in layer.calls]
    if any(call.modern for call in calls):
        return []
    from_zero = {reference.layer for call in calls for reference in call.inputs if reference.node == 0}
    return [name for name in nested if name not in from_zero]


def ordered(model: ConfigLayer, calls: Calls, where: str) -> list[tuple[ConfigLayer, int, Call]]:
    """(layer, number, call), each after those that it needs, else in the file's order (Kahn's algorithm).

    Raises Corrupt for a call of a layer that is not there, and for calls that go in a circle.
    """
    listed = [(layer, *call) for layer in model.layers for call in enumerate(layer.calls or (Call(()),))]
    index = {(layer.name, number): place for place, (layer, number, _) in enumerate(listed)}
    needed = [_places(index, calls, layer, call, where) for layer, _, call in listed]
    order = _after_needed(needed)
    if len(order) < len(listed):
        stuck = min(set(range(len(listed))) - set(order))
        raise _circular(listed[stuck][0].name, where)
    return [listed[place] for place in order]


def _places(
    index: Mapping[tuple[str, int], int], calls: Calls, layer: ConfigLayer, call: Call, where: str
) -> list[int]:
    """The places of the calls that feed a call. Raises Corrupt for one that is not there."""
    places = []
    for reference in call.inputs:
        place = index.get((reference.layer, calls.number(reference)))
        if place is None:
            raise _absent(f"layer {layer.name!r} is fed by", reference, where)
        places.append(place)
    return places


def _circular(name: str, where: str) -> Corrupt:
    cause = f"the calls go in a circle through layer {name!r}"
    return Corrupt(cause, where=where, fix="Save the model again")


def _after_needed(needed: Sequence[Sequence[int]]) -> list[int]:
    """Places, each after those that it needs, the lowest first; without those that stand in a circle."""
    users: list[list[int]] = [[] for _ in needed]
    for place, places in enumerate(needed):
        for other in places:
            users[other].append(place)
    waiting = [len(places) for places in needed]
    ready = [place for place, count in enumerate(waiting) if not count]
    order = []
    while ready:
        place = heapq.heappop(ready)
        order.append(place)
        for user in _released(users[place], waiting):
            heapq.heappush(ready, user)
    return order


def _released(users: Sequence[int], waiting: list[int]) -> Iterator[int]:
    """Those that wait for nothing more, once one that they need is placed; `waiting` counts down."""
    for user in users:
        waiting[user] -= 1
        if not waiting[user]:
            yield user


def check_outputs(model: ConfigLayer, calls: Calls, where: str) -> None:
    """Raises Corrupt for an output of the model that no call gives."""
    for reference in model.outputs:
        if calls.number(reference, output=True) < 0:
            raise _absent("the model's output is", reference, where)


def _absent(what: str, reference: Reference, where: str) -> Corrupt:
    return Corrupt(
        f"{what} {reference.layer!r}, call {reference.node}, which is not there",
        where=where,
        fix="Save the model again",
    )
