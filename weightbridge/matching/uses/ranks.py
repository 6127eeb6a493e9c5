"""The place of each leaf among those of its kind and size: what is left where names tell nothing else."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product

from weightbridge.matching.pairing.names import is_automatic, stem
from weightbridge.matching.sequences.alignment import align
from weightbridge.matching.uses.leaf_uses import Use

MOST = 2000  # leaves whose orders are compared
Key = tuple[tuple[float, str], ...]


def ranks_of(source: Sequence[Use], target: Sequence[Use]) -> tuple[list[int], list[int]]:
    """Of both sides.

    Files that sort by name part convolutions from their norms, so each kind and size is counted by itself.
    """
    known = all(role.leaf.flow for role in (*source, *target) if role.leaf.kind in ("conv", "matrix"))
    left, right = _likely_orders(source, target)
    return _ranks(source, left, known), _ranks(target, right, known)


def _likely_orders(source: Sequence[Use], target: Sequence[Use]) -> tuple[Sequence[int], Sequence[int]]:
    """Of the orders that the names allow, those in which the kernels of both sides agree most.

    The files' own where others do no better.
    """
    if len(source) + len(target) > MOST:
        return range(len(source)), range(len(target))
    pairs = product(_orders(source), _orders(target))
    return max(pairs, key=lambda orders: len(align(_sizes(source, orders[0]), _sizes(target, orders[1]))))


def _orders(roles: Sequence[Use]) -> list[Sequence[int]]:
    """As the file lists them; by their numbers before their words (`block1`, `transition1`, `block2`).

    As a framework has counted them.
    """
    plain = range(len(roles))
    if any("." in role.leaf.name for role in roles):
        return [
            plain,
            *(sorted(plain, key=_by_numbers(roles, unnumbered)) for unnumbered in (-1.0, float("inf"))),
        ]
    counted = _as_made([role.leaf.name for role in roles])
    return [plain, counted] if counted != list(plain) else [plain]


def _as_made(names: Sequence[str]) -> list[int]:
    """Those under one counter in its order: a file may list layers by how far they are from the output."""
    order = list(range(len(names)))
    counters: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if is_automatic(name):
            counters.setdefault(stem(name), []).append(i)
    for places in counters.values():
        made = sorted(places, key=lambda i: _number(names[i], 0))
        for place, i in zip(places, made, strict=True):
            order[place] = i
    return order


def _by_numbers(roles: Sequence[Use], unnumbered: float) -> Callable[[int], Key]:
    return lambda i: tuple((_number(part, unnumbered), part) for part in roles[i].leaf.name.split("."))


def _number(part: str, unnumbered: float) -> float:
    found = re.search(r"\d+$", part)
    return int(found[0]) if found else unnumbered


def _sizes(roles: Sequence[Use], order: Iterable[int]) -> list[str]:
    return [str(roles[i].leaf.size) for i in order if roles[i].leaf.kind in ("conv", "matrix")]


def _ranks(roles: Sequence[Use], order: Iterable[int], is_flow_known: bool) -> list[int]:
    groups: dict[tuple[object, ...], list[int]] = {}
    for i in order:
        leaf = roles[i].leaf
        groups.setdefault((leaf.kind, leaf.size, leaf.flow if is_flow_known else None), []).append(i)
    found = [0] * len(roles)
    for places in groups.values():
        for rank, i in enumerate(places):
            found[i] = rank
    return found
