"""Branches of a block move as wholes: `stage2.0.branch1` is the branch of a fork that has its layers in turn.

Where one side has data flow, its forks are told by the chains that leave them; the other side's blocks by the
chains that its names show.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from weightbridge.boundary.records import dataclass
from weightbridge.matching.confidence import ONE_SIDED, SYMMETRIC
from weightbridge.matching.context import Context
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.scopes import outer, scopes_of

NORM = "Norm"
LONG = 3  # layers of a chain that is told by them alone
COUNTER = re.compile(r"_\d+[a-z]?$")
PARTS = re.compile(r"[./]")
NUMBER = re.compile(r"\d+")
Signature = tuple[tuple[str, int], ...]  # family and size of each layer of a chain, norms apart
Place = tuple[tuple[int, str], ...]
Key = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Chain:
    """Units that feed each other in turn, norms among them."""

    units: tuple[Unit, ...]

    @property
    def layers(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.family != NORM)

    @property
    def norms(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.family == NORM)

    @property
    def signature(self) -> Signature:
        return tuple(map(_kind, self.layers))


@dataclass(frozen=True, slots=True)
class Fork:
    """The chains that leave one place side by side; template: what names of like blocks share."""

    chains: tuple[Chain, ...]
    template: str = ""

    @property
    def signature(self) -> tuple[Signature, ...]:
        return tuple(sorted(chain.signature for chain in self.chains))


Branches = tuple[Chain, Chain, tuple[Chain, ...]]  # of the flow, of the names, and what else that might be


def _kind(unit: Unit) -> tuple[str, int]:
    """A state dict does not tell a convolution by channel from one of a grey image."""
    return unit.family.removeprefix("Depthwise"), unit.size


def by_branches(context: Context) -> tuple[LayerPair, ...]:
    """The units of branches that differ, of forks of which both sides have as many."""
    sides = context.one_flow
    if sides is None:
        return ()
    flow, listed = sides.flow, sides.listed
    inside, forks = _inside(listed), _forks(flow)
    found: list[Branches] = []
    for key in (_first_part, _stem):
        found += _alike(_left(forks, found), _left(_blocks(listed, inside, key), found))
    found += _alike(_left(_bridged(flow), found), _left(_lone(listed, inside), found))
    pairs = [pair for branches in found for pair in _pairs(*branches, sides.is_source)]
    return tuple(pair for pair in pairs if _is_open(context, pair))


def _is_open(context: Context, pair: LayerPair) -> bool:
    return not context.is_source_done(pair.source) and not context.is_target_done(pair.target)


def _left(forks: Sequence[Fork], found: Sequence[Branches]) -> list[Fork]:
    """The forks of which no branch is paired."""
    paired = {unit.name for branches in found for chain in branches[:2] for unit in chain.units}
    return [fork for fork in forks if paired.isdisjoint(unit.name for c in fork.chains for unit in c.units)]


def _forks(side: Reduced) -> list[Fork]:
    """Where two chains or more begin, in the order of the data."""
    forks = (tuple(_chain(side, unit) for unit in units) for units in _starts(side) if len(units) > 1)
    return [Fork(chains) for chains in forks]


def _bridged(side: Reduced) -> list[Fork]:
    """Long chains beside which nothing but the value itself goes on."""
    alone = (units[0] for units in _starts(side) if len(units) == 1)
    beside = (unit for unit in alone if len(side.children.get(side.parents[unit.name][0], ())) > 1)
    chains = (_chain(side, unit) for unit in beside)
    return [Fork((chain,)) for chain in chains if len(chain.layers) >= LONG]


def _starts(side: Reduced) -> Iterable[list[Unit]]:
    """The layers that one place alone feeds, by this place."""
    starts: dict[tuple[str, ...], list[Unit]] = {}
    for unit in side.weighted:
        if unit.family != NORM and len(side.parents[unit.name]) == 1:
            starts.setdefault(side.parents[unit.name], []).append(unit)
    return starts.values()


def _chain(side: Reduced, start: Unit) -> Chain:
    units = [start]
    children = side.children[start.name]
    while len(children) == 1 and _continues(side, children[0]):
        units.append(side.by_name[children[0]])
        children = side.children[children[0]]
    return Chain(tuple(units))


def _continues(side: Reduced, name: str) -> bool:
    return side.by_name[name].has_weights and len(side.parents[name]) == 1


def _inside(side: Reduced) -> dict[str, list[Unit]]:
    """Scope -> the units that stand in it, scopes in the order of their numbers."""
    inside: dict[str, list[Unit]] = {}
    for unit in side.weighted:
        for scope in scopes_of((unit.name,)):
            inside.setdefault(scope, []).append(unit)
    return {scope: inside[scope] for scope in sorted(inside, key=_place)}


def _blocks(side: Reduced, inside: Mapping[str, Sequence[Unit]], key: Key) -> list[Fork]:
    """Scopes that hold several chains; key: what the names of one chain have in common."""
    forks = (
        Fork(_chains_inside(side, scope, units, key), _template(scope)) for scope, units in inside.items()
    )
    return [fork for fork in forks if len(fork.chains) > 1]


def _lone(side: Reduced, inside: Mapping[str, Sequence[Unit]]) -> list[Fork]:
    """Scopes that are one long chain, once where a scope holds nothing but another one."""
    found: dict[tuple[str, ...], Fork] = {}
    for scope, units in inside.items():
        chain = _in_turn(side, units)
        if chain is not None and len(chain.layers) >= LONG:
            found[tuple(unit.name for unit in chain.units)] = Fork((chain,), _template(scope))
    return list(found.values())


def _template(scope: str) -> str:
    return NUMBER.sub("#", scope)


def _chains_inside(side: Reduced, scope: str, units: Sequence[Unit], key: Key) -> tuple[Chain, ...]:
    """The units right in a scope are one chain, those of each scope in it another."""
    chains: dict[str, list[Unit]] = {}
    for unit in units:
        inner = "" if outer(unit.name) == scope else key(unit.name[len(scope) + 1 :])
        chains.setdefault(inner, []).append(unit)
    found = [_in_turn(side, members) for members in chains.values()]
    if any(chain is None for chain in found):
        return ()
    return tuple(chain for chain in found if chain is not None and chain.layers)


def _first_part(name: str) -> str:
    return PARTS.split(name)[0]


def _stem(name: str) -> str:
    """`branch3x3_2a.conv` -> `branch3x3`."""
    return COUNTER.sub("", _first_part(name))


def _in_turn(side: Reduced, units: Sequence[Unit]) -> Chain | None:
    """The units in the order of their numbers, else of the file; None where that sorts by names alone."""
    ordered = sorted(units, key=lambda unit: _numbers(unit.name))
    layers = [unit for unit in ordered if unit.family != NORM]
    is_told = side.graph.order != "names" or all(
        _numbers(a.name) != _numbers(b.name) for a, b in pairwise(layers)
    )
    return Chain(tuple(ordered)) if is_told or len(set(map(_kind, layers))) == len(layers) else None


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, NUMBER.findall(name)))


def _place(name: str) -> Place:
    """`stage2.10` behind `stage2.9`."""
    return tuple(
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)|[./]", name) if part
    )


def _alike(forks: Sequence[Fork], blocks: Sequence[Fork]) -> Iterator[Branches]:
    """The branches of forks and blocks of one signature, where there are as many of both, of one template."""
    of_flow, of_names = _by_signature(forks), _by_signature(blocks)
    for signature, places in of_flow.items():
        others = of_names.get(signature, ())
        if len(places) == len(others) and len({fork.template for fork in others}) == 1:
            for fork, block in zip(places, others, strict=True):
                yield from _branches(fork, block)


def _by_signature(forks: Sequence[Fork]) -> Mapping[tuple[Signature, ...], list[Fork]]:
    found: dict[tuple[Signature, ...], list[Fork]] = {}
    for fork in forks:
        found.setdefault(fork.signature, []).append(fork)
    return found


def _branches(fork: Fork, block: Fork) -> Iterator[Branches]:
    """Each branch with its counterpart and those that are like it, unless names may tell these apart."""
    of_block: dict[Signature, list[Chain]] = {}
    for chain in block.chains:
        of_block.setdefault(chain.signature, []).append(chain)
    places = Counter[Signature]()
    for chain in fork.chains:
        like = of_block[chain.signature]
        other = like[places[chain.signature]]
        places[chain.signature] += 1
        if len(like) == 1 or all(is_automatic(unit.name) for c in fork.chains for unit in c.units):
            yield chain, other, tuple(rival for rival in like if rival is not other)


def _pairs(chain: Chain, other: Chain, rivals: Sequence[Chain], is_source: bool) -> Iterator[LayerPair]:
    """The pairs of all layers, and of the norms where both sides have the same."""
    yield from _paired([c.layers for c in (chain, other, *rivals)], is_source)
    if [unit.size for unit in chain.norms] == [unit.size for unit in other.norms]:
        yield from _paired([c.norms for c in (chain, other, *rivals)], is_source)


def _paired(chains: Sequence[Sequence[Unit]], is_source: bool) -> Iterator[LayerPair]:
    for unit, other, *rivals in zip(*chains, strict=True):
        if not rivals:
            source, target = (unit, other) if is_source else (other, unit)
            yield LayerPair(source.name, target.name, ONE_SIDED, ("structure", "shape"))
        elif not is_source:
            names = tuple(rival.name for rival in rivals)
            yield LayerPair(other.name, unit.name, SYMMETRIC, ("structure", "shape", "order"), names)
