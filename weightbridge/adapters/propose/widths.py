"""How wide each of the target's channel groups is in the source, and what axis rule follows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weightbridge.adapters.apply.layout import lengths
from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.propose.groups import Axis, channels_first
from weightbridge.adapters.propose.setting import Partners, Setting

WRITING = ("o", "g")


@dataclass(frozen=True, slots=True)
class Widths:
    """Per group its size in the source; `torn` groups have several, or none that is known: no single map
    serves them.
    """

    source: Mapping[int, int]
    torn: frozenset[int]


def source_widths(setting: Setting) -> Widths:
    """From the paired tensors: writers decide, readers where no writer is paired."""
    written, read = (_votes(setting, writing) for writing in (True, False))
    votes = {g: written.get(g) or read.get(g) or set() for g in setting.groups.sizes}
    torn = {g for g, sizes in votes.items() if len(sizes) != 1}
    return Widths({g: min(sizes) for g, sizes in votes.items() if sizes}, frozenset(torn))


def _votes(setting: Setting, writing: bool) -> dict[int, set[int]]:
    votes: dict[int, set[int]] = {}
    for group, size in (vote for p in setting.partners.values() for vote in _sizes(setting, p, writing)):
        votes.setdefault(group, set()).add(size)
    return votes


def _sizes(setting: Setting, p: Partners, writing: bool) -> Iterator[tuple[int, int]]:
    """Only axes of one group tell its size."""
    before = lengths(p.source.shape, p.source_letters, p.letters)
    for letter, size in zip(p.letters, before, strict=True):
        axis = setting.axis(p.layer, letter)
        if axis is None or len(axis.parts) != 1 or (letter in WRITING) != writing:
            continue
        repeats = axis.outer * axis.inner
        full = size * int(p.source_layer.attributes.get("groups") or 1) if letter == "i" else size
        if full % repeats == 0:
            yield axis.parts[0], full // repeats


def is_explained(setting: Setting, widths: Widths, p: Partners) -> bool:
    """Every channel axis is as long in the source as its groups are there."""
    before = lengths(p.source.shape, p.source_letters, p.letters)
    for letter, size in zip(p.letters, before, strict=True):
        axis = setting.axis(p.layer, letter)
        if axis is not None and not widths.torn.isdisjoint(axis.parts):
            return False
        split = int(p.layer.attributes.get("groups") or 1) if letter == "i" else 1
        if (
            axis is not None
            and axis.outer * axis.inner * sum(widths.source[g] for g in axis.parts) != size * split
        ):
            return False
    return True


def channel_rule(
    setting: Setting, widths: Widths, p: Partners, letter: str, before: int, after: int
) -> Rule | None:
    """The rule for a channel axis, {} where nothing changes, None where no rule joins the two lengths."""
    axis = setting.axis(p.layer, letter)
    if axis is None:
        return {} if before == after else None
    name = "take" if letter in WRITING or letter == "c" else "share"
    split = int(p.layer.attributes.get("groups") or 1) if letter == "i" else 1
    if any(g not in widths.source for g in axis.parts):
        return _plain(name, before, after)
    ours, theirs = (tuple(sizes[g] for g in axis.parts) for sizes in (setting.groups.sizes, widths.source))
    if split > 1:
        return (
            _split_rule(name, (ours, theirs), before, after, split) if axis.outer * axis.inner == 1 else None
        )
    repeats = axis.outer * axis.inner
    if sum(ours) * repeats != after or sum(theirs) * repeats != before:
        return _plain(name, before, after)
    return {} if ours == theirs else {"rule": name, "from": theirs, "to": ours, **_repeats(setting, p, axis)}


def _plain(name: str, before: int, after: int) -> Rule:
    return {} if before == after else {"rule": name, "from": (before,), "to": (after,)}


def _repeats(setting: Setting, p: Partners, axis: Axis) -> dict[str, object]:
    found: dict[str, object] = {
        name: n for name, n in (("outer", axis.outer), ("inner", axis.inner)) if n > 1
    }
    grid = p.letters[0] == "i" and p.layer.op == "Dense" and (axis.outer > 1 or axis.inner > 1)
    ours, theirs = (
        channels_first(graph, layer)
        for graph, layer in ((setting.target, p.layer), (setting.source, p.source_layer))
    )
    if grid and theirs and not ours:
        found["source_order"] = "inner"
    return found


def _split_rule(
    name: str, sizes: tuple[tuple[int, ...], tuple[int, ...]], before: int, after: int, split: int
) -> Rule | None:
    """Grouped convolutions read total / groups channels; spread evenly, every group's channels stay inside
    the group.
    """
    ours, theirs = (sum(side) for side in sizes)
    if (
        len(sizes[0]) != 1
        or ours % split
        or theirs % split
        or (ours // split, theirs // split) != (after, before)
    ):
        return _plain(name, before, after) if before == after else None
    return _plain(name, before, after)
