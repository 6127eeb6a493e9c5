"""Which layer each norm stands behind, where one side's file keeps no data flow: told by names, else by order
beside the other side.

Files of weights alone list the layers of a class in order, and classes apart: the layer before a norm in the
file need not be the one it
normalises. The side with data flow knows which convolutions have a norm behind them (or had one before an
exporter folded it away), and the
norms follow in the order of their convolutions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from weightbridge.matching.confidence import DOUBTFUL, IN_ORDER, SAME_SURROUNDINGS
from weightbridge.matching.context import Context
from weightbridge.matching.pairing.companions import companions
from weightbridge.matching.pairing.keras_order import is_listed_alike
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.sequences.steady import steady_pairs
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.vocabulary import SINGLE_KERNEL_CONVOLUTIONS
from weightbridge.rules.words import words

NORMED = SINGLE_KERNEL_CONVOLUTIONS | {"Linear"}  # families that norms follow
LEAST = 0.5  # a norm that may be there counts for less than one that must be


@dataclass(frozen=True, slots=True)
class Home:
    """layer: the unit of its own side that the norm stands behind, "" where it stands before one. norm: its
    counterpart, "" if folded.
    """

    layer: str
    norm: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Place:
    """A norm that the side with flow has, or may have folded. layer, norm: as in `Home`; must: whether it is
    surely there.
    """

    layer: str
    norm: str
    width: int
    must: bool


def homes(context: Context) -> Mapping[str, Home]:
    """Open BatchNorms of the side without data flow -> their homes. Empty where both sides have flow, or
    neither, or order tells all.
    """
    sides = context.source, context.target
    if sides[0].graph.has_flow == sides[1].graph.has_flow or is_listed_alike(context):
        return {}
    loose, flow = sides if sides[1].graph.has_flow else sides[::-1]
    open_units = context.open_source() if loose is context.source else context.open_target()
    norms = [u for u in open_units if u.layer.op == "BatchNorm"]
    if not norms:
        return {}
    places = _places(context, loose, flow)
    named = _named(loose, norms, places)
    taken = {home.layer for home in named.values()}
    rest = [n for n in norms if n.name not in named]
    known = context.pairs if loose is context.target else context.taken
    whole = all(u.name in known for u in loose.units if u.family in NORMED)
    return named | _ordered(
        rest, [p for p in places if p.layer not in taken or not p.layer], IN_ORDER if whole else DOUBTFUL
    )


def by_homes(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of norms whose layers are paired."""
    is_target = context.source.graph.has_flow
    found = ((home, name) for name, home in homes(context).items() if home.norm)
    evidence = ("structure", "shape")
    sure = {(p.target if is_target else p.source): p.confidence for p in context.pairs.values()}
    ends = (
        ((h.norm, name) if is_target else (name, h.norm), min(h.confidence, sure.get(h.layer, h.confidence)))
        for h, name in found
    )
    return tuple(LayerPair(*pair, confidence, evidence) for pair, confidence in ends)


def _places(context: Context, loose: Reduced, flow: Reduced) -> list[_Place]:
    """The norms of the side with flow, in the order of their layers on the side without."""
    is_target = loose is context.target
    partner = {
        (p.source if is_target else p.target): (p.target if is_target else p.source)
        for p in context.pairs.values()
    }
    slots = [u for u in flow.units if u.family in NORMED and u.name in partner]
    found: list[_Place] = []
    seen: set[str] = set()
    for unit in _in_loose_order(slots, partner, loose):
        found += _before(context, flow, unit, seen)
        place = _behind(context, flow, unit, loose.by_name[partner[unit.name]])
        found += [place] if place else []
        seen.update([place.norm] if place else [])
    return found


def _in_loose_order(slots: Sequence[Unit], partner: Mapping[str, str], loose: Reduced) -> Iterable[Unit]:
    """Each class in the order of the file without flow, the classes among each other as the data flows."""
    classes: dict[str, list[Unit]] = {}
    for unit in slots:
        classes.setdefault(loose.by_name[partner[unit.name]].layer.op, []).append(unit)
    queues = {
        op: iter(sorted(units, key=lambda u: loose.position[partner[u.name]]))
        for op, units in classes.items()
    }
    return (next(queues[loose.by_name[partner[unit.name]].layer.op]) for unit in slots)


def _before(context: Context, flow: Reduced, unit: Unit, seen: set[str]) -> Iterable[_Place]:
    """A norm that no layer of its own feeds stands before the first layer that reads it."""
    for name in flow.parents[unit.name]:
        norm = flow.by_name.get(name)
        if (
            norm is not None
            and norm.family == "Norm"
            and name not in seen
            and _is_open(context, flow, name)
            and not _is_fed(flow, norm)
        ):
            seen.add(name)
            yield _Place("", name, _width(norm), True)


def _is_fed(flow: Reduced, norm: Unit) -> bool:
    """Whether one layer alone feeds this norm and nothing else."""
    before = [flow.by_name[name] for name in flow.parents[norm.name] if name in flow.by_name]
    return len(before) == 1 and before[0].family in NORMED and flow.children[before[0].name] == (norm.name,)


def _behind(context: Context, flow: Reduced, unit: Unit, own: Unit) -> _Place | None:
    """The norm behind a layer, or the one that may be folded into its bias."""
    reading = flow.children[unit.name]
    norm = flow.by_name[reading[0]] if len(reading) == 1 else None
    if norm is not None and norm.family == "Norm":
        return _Place(own.name, norm.name, _width(norm), True) if _is_open(context, flow, norm.name) else None
    bias = unit.roles.get("bias")
    return _Place(own.name, "", bias.size, "bias" not in own.roles) if bias is not None else None


def _is_open(context: Context, flow: Reduced, name: str) -> bool:
    return name not in (context.taken if flow is context.source else context.pairs)


def _width(norm: Unit) -> int:
    return max(t.size for _, t in norm.tensors)


def _named(loose: Reduced, norms: Sequence[Unit], places: Sequence[_Place]) -> dict[str, Home]:
    """Norms whose own name, given by a person, names their layer."""
    units = [u for u in loose.weighted if not is_automatic(u.name)]
    kinds = ["norm" if u.family == "Norm" else "conv" if u.family in NORMED else "" for u in units]
    by_layer = {p.layer: p for p in places if p.layer}
    wanted = {n.name: n for n in norms}
    found = {}
    for i, j in companions([words(u.name) for u in units], kinds).items():
        place = by_layer.get(units[j].name)
        if place and units[i].name in wanted and _width(wanted[units[i].name]) == place.width:
            found[units[i].name] = Home(place.layer, place.norm, SAME_SURROUNDINGS)
    return found


def _ordered(norms: Sequence[Unit], places: Sequence[_Place], sure: float) -> dict[str, Home]:
    """Norms in order beside the places in order; in doubt where another place would do as well."""
    pairs = steady_pairs(
        [p.width for p in places], [_width(n) for n in norms], [1.0 if p.must else LEAST for p in places]
    )
    return {
        norms[j].name: Home(places[i].layer, places[i].norm, sure if only else DOUBTFUL)
        for i, j, only in pairs
    }
