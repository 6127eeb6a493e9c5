"""How wide each of the target's channel groups is in the source, and what axis rule follows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weightbridge.adapters.apply.layout import lengths
from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.propose.layer_channels import channels_first
from weightbridge.adapters.propose.setting import Partners, Setting
from weightbridge.adapters.propose.ties import Axis

WRITING = ("o", "g")
Ends = tuple[int, int]  # the lengths of an axis: the source's and the target's
TAKEN = (*WRITING, "c")  # letters of channels that are chosen, not shared out


@dataclass(frozen=True, slots=True)
class Widths:
    """Per group its size in the source; `torn` groups have several, or none: no single map serves them."""

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
        if axis is not None and not _has_length(widths, axis, size * _split(p, letter)):
            return False
    return True


def _has_length(widths: Widths, axis: Axis, size: int) -> bool:
    if not widths.torn.isdisjoint(axis.parts):
        return False
    return axis.outer * axis.inner * sum(widths.source[group] for group in axis.parts) == size


def _split(p: Partners, letter: str) -> int:
    """How many groups of a grouped convolution share an axis: each reads its own part of the channels."""
    return int(p.layer.attributes.get("groups") or 1) if letter == "i" else 1


def channel_rule(setting: Setting, widths: Widths, p: Partners, letter: str, ends: Ends) -> Rule | None:
    """The rule for a channel axis, {} where nothing changes, None where no rule joins the two lengths."""
    axis = setting.axis(p.layer, letter)
    name = "take" if letter in TAKEN else "share"
    plain = _plain(name, ends)
    if axis is None:
        return _unless_needed(plain)
    if not widths.source.keys() >= set(axis.parts):
        return plain
    theirs = tuple(widths.source[group] for group in axis.parts)
    ours = tuple(setting.groups.sizes[group] for group in axis.parts)
    repeats, split = axis.outer * axis.inner, _split(p, letter)
    if split > 1:
        return _split_rule(plain, (theirs, ours), ends, split, repeats)
    if (sum(theirs) * repeats, sum(ours) * repeats) == ends:
        by_group: Rule = {"rule": name, "from": theirs, "to": ours, **_repeats(setting, p, axis)}
        return by_group if ours != theirs else {}
    return _other_ends(plain, repeats)


def _other_ends(plain: Rule, repeats: int) -> Rule | None:
    """Channels that the groups do not add up to; where they repeat, places or gates are no channels."""
    return plain if repeats == 1 else _unless_needed(plain)


def _split_rule(
    plain: Rule, sizes: tuple[tuple[int, ...], tuple[int, ...]], ends: Ends, split: int, repeats: int
) -> Rule | None:
    """Grouped convolutions read total / groups channels; spread evenly, each group keeps its own."""
    if repeats != 1:
        return None
    is_even = all(
        len(groups) == 1 and divmod(groups[0], split) == (length, 0)
        for groups, length in zip(sizes, ends, strict=True)
    )
    return plain if is_even else _unless_needed(plain)


def _unless_needed(plain: Rule) -> Rule | None:
    """No rule where the lengths differ."""
    return None if plain else plain


def _plain(name: str, ends: Ends) -> Rule:
    before, after = ends
    return {} if before == after else {"rule": name, "from": (before,), "to": (after,)}


def _repeats(setting: Setting, p: Partners, axis: Axis) -> dict[str, object]:
    repeats: dict[str, object] = {
        name: n for name, n in (("outer", axis.outer), ("inner", axis.inner)) if n > 1
    }
    is_grid = p.letters[0] == "i" and p.layer.op == "Dense" and bool(repeats)
    ours = channels_first(setting.target, p.layer)
    theirs = channels_first(setting.source, p.source_layer)
    if is_grid and theirs and not ours:
        repeats["source_order"] = "inner"
    return repeats
