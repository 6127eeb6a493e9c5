"""A layer without a telling name, by the block of the one that feeds it: the next layer of the same scope.

`block.conv1` has its pair by name, and feeds `Conv_3`: that is `block.conv2`, whatever order says elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence

from weightbridge.matching.confidence import IN_ORDER, SAME_SURROUNDINGS
from weightbridge.matching.context import Context, key
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair


def by_scope(context: Context) -> tuple[LayerPair, ...]:
    """Where one side alone has data flow: its layers behind those that are paired by name."""
    sides = context.one_flow
    if sides is None:
        return ()
    is_source = sides.is_source
    by_name = [(p.source, p.target) for p in context.pairs.values() if "name" in p.evidence]
    named = dict(by_name) if is_source else {t: s for s, t in by_name}
    both = context.open_source(), context.open_target()
    open_flow, open_listed = both if is_source else reversed(both)
    found = _behind_named(sides.flow, sides.listed, open_flow, named, _by_scope(open_listed))
    return tuple(_pair(*names, is_source) for names in found)


def _pair(of_flow: str, of_listed: str, sure: float, is_source: bool) -> LayerPair:
    source, target = (of_flow, of_listed) if is_source else (of_listed, of_flow)
    return LayerPair(source, target, sure, ("structure", "scope", "shape"))


def scope_of(name: str) -> str:
    """The block that a layer's name names."""
    return name.rpartition(".")[0]


def _by_scope(units: tuple[Unit, ...]) -> dict[str, list[Unit]]:
    scopes: dict[str, list[Unit]] = {}
    for unit in units:
        if unit.has_weights and scope_of(unit.name):
            scopes.setdefault(scope_of(unit.name), []).append(unit)
    return scopes


def _behind_named(
    flow: Reduced,
    listed: Reduced,
    open_flow: tuple[Unit, ...],
    named: Mapping[str, str],
    scopes: Mapping[str, list[Unit]],
) -> Iterator[tuple[str, str, float]]:
    """(unit of the flow side, unit of the listed side, how sure): the only reader of the layer before it."""
    for unit in open_flow:
        before = named.get(_only_feeding(flow, unit))
        if before is not None:
            fitting = [other for other in scopes.get(scope_of(before), ()) if key(other) == key(unit)]
            yield from ((unit.name, *choice) for choice in _next(listed, before, fitting))


def _only_feeding(flow: Reduced, unit: Unit) -> str:
    """The layer that feeds this one alone, "" for none."""
    parents = flow.parents[unit.name]
    is_alone = unit.has_weights and len(parents) == 1 and flow.children.get(parents[0]) == (unit.name,)
    return parents[0] if is_alone else ""


def _next(listed: Reduced, before: str, fitting: Sequence[Unit]) -> Iterator[tuple[str, float]]:
    """The only one, or the first one behind a layer as the file lists them."""
    if len(fitting) == 1:
        yield fitting[0].name, SAME_SURROUNDINGS
        return
    behind = [u for u in fitting if listed.position[u.name] > listed.position[before]]
    if behind:
        yield min(behind, key=lambda u: listed.position[u.name]).name, IN_ORDER
