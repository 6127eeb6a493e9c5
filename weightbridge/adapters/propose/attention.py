"""Heads of other number or width: each head is repeated or chosen whole, its numbers likewise.

A query meets a key in a product that is divided by the root of their length. Repeats of the numbers of a key
share its value, as the repeats of a channel that is read do, and queries are scaled by the root of the ratio:
every product stays what it was. Repeats of a head, and of the numbers of a value, are shared out by the
projection that reads them.
"""

from collections.abc import Iterable, Iterator
from math import sqrt
from typing import Any

from weightbridge.adapters.apply.layout import lengths
from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.projections import EACH, HEADS, KEY, OUTPUT, QUERY, projection_of
from weightbridge.adapters.propose.setting import Partners, Setting
from weightbridge.adapters.propose.values import Place
from weightbridge.plan import Step

SETTINGS = ("heads", "key_dim", "value_dim")


def is_of_heads(p: Partners, letter: str) -> bool:
    return letter in (HEADS, EACH) and bool(projection_of(p.layer))


def head_rule(p: Partners, letter: str, before: int, after: int) -> Rule | None:
    """{} where nothing changes; None where the two are not the same projection."""
    function = projection_of(p.layer)
    if projection_of(p.source_layer) != function:
        return None
    if before == after:
        return {}
    is_shared = function == OUTPUT or (function == KEY and letter == EACH)
    return {"rule": "share" if is_shared else "take", "from": (before,), "to": (after,)}


def is_kept(rule: Rule) -> bool:
    """No head and no number of one is left out."""
    return bool(rule["to"][0] >= rule["from"][0])


def scale_of(p: Partners) -> dict[str, Any]:
    """What queries are multiplied by, where keys are of another length."""
    if projection_of(p.layer) != QUERY or EACH not in p.letters:
        return {}
    place = p.letters.index(EACH)
    before = lengths(p.source.shape, p.source_letters, p.letters)[place]
    after = p.tensor.shape[place]
    return {} if before == after else {"scale": sqrt(after / before)}


def settled_heads(setting: Setting, steps: Iterable[Step]) -> Iterator[Place]:
    """What is no difference of attentions whose heads keep the function."""
    for step in steps:
        layer = setting.target.owner[step.target]
        if step.contract == "preserving" and projection_of(layer) == QUERY:
            attention = layer.name.rpartition("/")[0]
            yield from ((attention, attribute) for attribute in SETTINGS)
