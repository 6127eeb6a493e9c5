"""Whose norm is this: the layer whose output each open BatchNorm normalises.

The side with data flow shows it. Files of weights alone list the layers of a class in order, and classes
apart: the layer before a norm in the file need not be its owner. Names tell it there, else the order beside
a side with data flow. That side knows which layers have a norm behind them, or had one before an exporter
folded it, and the norms of the file follow in the order of their layers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from weightbridge.boundary.records import dataclass
from weightbridge.matching.confidence import CERTAIN, DOUBTFUL, IN_ORDER, SAME_SURROUNDINGS
from weightbridge.matching.context import Context
from weightbridge.matching.pairing.by_scope import scope_of
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.pairing.norm_names import owners_by_name
from weightbridge.matching.sequences.alignment import align_by_worth
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import NormOwner, NormOwners
from weightbridge.model.vocabulary import SINGLE_KERNEL_CONVOLUTIONS
from weightbridge.rules.words import words

OWNING_FAMILIES = SINGLE_KERNEL_CONVOLUTIONS | {"Linear"}
WORTH_OF_POSSIBLE_NORM = 0.5  # in the alignment, where a norm that is surely there counts 1


def norm_owners(context: Context) -> NormOwners:
    """Of the open BatchNorms of both sides."""
    listed = listed_norm_owners(context)
    source, target = context.source, context.target
    return NormOwners(
        _flow_norm_owners(source, context.taken) if source.graph.has_flow else listed,
        _flow_norm_owners(target, context.pairs) if target.graph.has_flow else listed,
    )


def _flow_norm_owners(side: Reduced, paired: Iterable[str]) -> dict[str, NormOwner]:
    """Of the side's data flow: the only unit that feeds a norm."""
    is_paired = frozenset(paired)
    owners = {}
    for unit in side.units:
        feeding = side.parents[unit.name]
        if unit.layer.op == "BatchNorm" and unit.name not in is_paired and len(feeding) == 1:
            owners[unit.name] = NormOwner(feeding[0], "", CERTAIN)
    return owners


def listed_norm_owners(context: Context) -> dict[str, NormOwner]:
    """Of a file without data flow beside one that has it, as far as order alone does not tell all."""
    sides = context.one_flow
    if sides is None or context.is_listed_alike:
        return {}
    listed = sides.listed
    open_units = context.open_target() if sides.is_source else context.open_source()
    norms = [unit for unit in open_units if unit.layer.op == "BatchNorm"]
    if not norms:
        return {}
    slots = _without_named(norms, _slots(context), sides.flow)
    return _owners_by_slots(listed, norms, slots, _confidence_of_order(context, listed))


def _without_named(norms: Sequence[Unit], slots: Sequence["_Slot"], flow: Reduced) -> list["_Slot"]:
    """Without layers of which the other side has the exact name: an exporter that folds a norm into a layer
    names its weights anew.

    Not where too few are left: there folding has kept the names.
    """
    kept = [slot for slot in slots if slot.norm or slot.layer not in flow.by_name]
    return kept if len(kept) >= len(norms) else list(slots)


def _confidence_of_order(context: Context, listed: Reduced) -> float:
    """Order is as sure as it can be where all layers that may own a norm have their pairs."""
    paired = context.pairs if listed is context.target else context.taken
    owning = [unit.name for unit in listed.units if unit.family in OWNING_FAMILIES]
    return IN_ORDER if all(name in paired for name in owning) else DOUBTFUL


def _owners_by_slots(
    listed: Reduced, norms: Sequence[Unit], slots: "Sequence[_Slot]", confidence_of_order: float
) -> dict[str, NormOwner]:
    """By names and blocks first, the rest in order."""
    named = _owners_by_names(listed, norms, slots)
    named_layers = {owner.layer for owner in named.values()}
    rest = [norm for norm in norms if norm.name not in named]
    open_slots = [slot for slot in slots if not slot.layer or slot.layer not in named_layers]
    return named | _ordered_owners(rest, open_slots, confidence_of_order)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place on the side with data flow where a norm is, or may be folded away.

    layer, norm: the listed side's owner and the flow side's norm, as in `NormOwner`. is_certain: whether the
    listed side surely has a norm there.
    """

    layer: str
    norm: str
    width: int
    is_certain: bool


@dataclass(frozen=True, slots=True)
class _Sides:
    """The side with data flow and the one that only lists its layers.

    partner: unit of the flow side -> its pair. open_norms: norms of the flow side without a pair.
    """

    flow: Reduced
    listed: Reduced
    partner: Mapping[str, str]
    open_norms: frozenset[str]


def _sides(context: Context) -> _Sides:
    pairs = context.pairs.values()
    if context.source.graph.has_flow:
        flow, listed, paired = context.source, context.target, frozenset(context.taken)
        partner = {pair.source: pair.target for pair in pairs}
    else:
        flow, listed, paired = context.target, context.source, frozenset(context.pairs)
        partner = {pair.target: pair.source for pair in pairs}
    norms = frozenset(unit.name for unit in flow.units if unit.family == "Norm")
    return _Sides(flow, listed, partner, norms - paired)


def _slots(context: Context) -> list[_Slot]:
    """The norms of the side with flow, in the order of their layers on the other side."""
    sides = _sides(context)
    slots: list[_Slot] = []
    seen: set[str] = set()
    for unit in _in_listed_order(sides):
        before = [slot for slot in _slots_before(sides, unit) if slot.norm not in seen]
        behind = _slot_behind(sides, unit)
        slots += before
        seen.update(slot.norm for slot in before)
        if behind is not None:
            slots.append(behind)
            seen.add(behind.norm)
    return slots


def _in_listed_order(sides: _Sides) -> Iterator[Unit]:
    """Paired layers, each class as the file lists it, the classes among each other as the data flows."""
    paired = [u for u in sides.flow.units if u.family in OWNING_FAMILIES and u.name in sides.partner]
    classes: dict[str, list[Unit]] = {}
    for unit in paired:
        classes.setdefault(_listed_class(sides, unit), []).append(unit)
    queues = {
        name: iter(sorted(units, key=lambda unit: sides.listed.position[sides.partner[unit.name]]))
        for name, units in classes.items()
    }
    return (next(queues[_listed_class(sides, unit)]) for unit in paired)


def _listed_class(sides: _Sides, unit: Unit) -> str:
    return sides.listed.by_name[sides.partner[unit.name]].layer.op


def _slots_before(sides: _Sides, unit: Unit) -> Iterator[_Slot]:
    """A norm that has no owner stands before the first layer that reads it."""
    for name in dict.fromkeys(sides.flow.parents[unit.name]):
        if name in sides.open_norms and not _has_owner(sides.flow, name):
            yield _Slot("", name, _width(sides.flow.by_name[name]), True)


def _has_owner(flow: Reduced, norm: str) -> bool:
    """Whether one layer alone feeds this norm and nothing else."""
    before = [flow.by_name[name] for name in flow.parents[norm] if name in flow.by_name]
    return (
        len(before) == 1 and before[0].family in OWNING_FAMILIES and flow.children[before[0].name] == (norm,)
    )


def _slot_behind(sides: _Sides, unit: Unit) -> _Slot | None:
    """The norm behind a layer, or the one that may be folded into its bias."""
    flow, layer = sides.flow, sides.listed.by_name[sides.partner[unit.name]]
    reading = flow.children[unit.name]
    norm = flow.by_name[reading[0]] if len(reading) == 1 else None
    if norm is not None and norm.family == "Norm":
        is_open = norm.name in sides.open_norms
        return _Slot(layer.name, norm.name, _width(norm), True) if is_open else None
    bias = unit.roles.get("bias")
    return _Slot(layer.name, "", bias.size, "bias" not in layer.roles) if bias is not None else None


def _width(norm: Unit) -> int:
    return max(tensor.size for _, tensor in norm.tensors)


def _named_owners(listed: Reduced, norms: Sequence[Unit], slots: Sequence[_Slot]) -> dict[str, NormOwner]:
    """Of norms whose own name, given by a person, names their layer."""
    by_layer = {slot.layer: slot for slot in slots if slot.layer}
    open_norms = {norm.name: norm for norm in norms}
    owners = {}
    for norm_name, layer_name in _norms_and_layers(listed):
        norm, slot = open_norms.get(norm_name), by_layer.get(layer_name)
        if norm is not None and slot is not None and _width(norm) == slot.width:
            owners[norm.name] = NormOwner(slot.layer, slot.norm, SAME_SURROUNDINGS)
    return owners


def _owners_by_names(
    listed: Reduced, norms: Sequence[Unit], slots: "Sequence[_Slot]"
) -> dict[str, NormOwner]:
    """The only layer of a norm's block, then what names say, then the layer before it in its block."""
    in_block = _owners_in_block(listed, norms, slots)
    sole = {name: owner for name, owner in in_block.items() if owner.confidence == SAME_SURROUNDINGS}
    said = _without_layers_of(_named_owners(listed, norms, slots), sole) | sole
    return _without_layers_of(in_block, said) | said


def _without_layers_of(
    owners: Mapping[str, NormOwner], known: Mapping[str, NormOwner]
) -> dict[str, NormOwner]:
    taken = {owner.layer for owner in known.values()}
    return {name: owner for name, owner in owners.items() if owner.layer not in taken}


def _owners_in_block(
    listed: Reduced, norms: Sequence[Unit], slots: "Sequence[_Slot]"
) -> dict[str, NormOwner]:
    """Of norms beside layers of their own block: the only one that fits, or the last one before the norm."""
    owners = {}
    for norm in norms:
        fitting = _fitting_in_block(norm, slots)
        before = [s for s in fitting if listed.position[s.layer] < listed.position[norm.name]]
        if len(fitting) == 1:
            owners[norm.name] = NormOwner(fitting[0].layer, fitting[0].norm, SAME_SURROUNDINGS)
        elif before:
            last = max(before, key=lambda s: listed.position[s.layer])
            owners[norm.name] = NormOwner(last.layer, last.norm, IN_ORDER)
    return owners


def _fitting_in_block(norm: Unit, slots: "Sequence[_Slot]") -> "list[_Slot]":
    block = scope_of(norm.name)
    return [s for s in slots if block and s.layer and scope_of(s.layer) == block and s.width == _width(norm)]


def _norms_and_layers(listed: Reduced) -> list[tuple[str, str]]:
    """(norm, layer), by names given by a person."""
    units = [unit for unit in listed.weighted if not is_automatic(unit.name)]
    by_name = owners_by_name([words(unit.name) for unit in units], [_kind(unit) for unit in units])
    return [(units[norm].name, units[layer].name) for norm, layer in by_name.items()]


def _kind(unit: Unit) -> str:
    if unit.family == "Norm":
        return "norm"
    return "conv" if unit.family in OWNING_FAMILIES else ""


def _ordered_owners(norms: Sequence[Unit], slots: Sequence[_Slot], confidence: float) -> dict[str, NormOwner]:
    """Norms in order beside the slots in order; in doubt where another slot would do as well."""
    worth = [1.0 if slot.is_certain else WORTH_OF_POSSIBLE_NORM for slot in slots]
    aligned = align_by_worth([slot.width for slot in slots], [_width(norm) for norm in norms], worth)
    owners = {}
    for i, j, is_only in aligned:
        sure = confidence if is_only else DOUBTFUL
        owners[norms[j].name] = NormOwner(slots[i].layer, slots[i].norm, sure)
    return owners
