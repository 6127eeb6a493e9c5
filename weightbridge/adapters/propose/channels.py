"""Steps for paired layers of other widths or kernel sizes: one map per channel group, kernels padded, cropped
or resampled.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weightbridge.adapters.apply.layout import lengths, pattern
from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.letters import taps
from weightbridge.adapters.projections import EACH, HEADS
from weightbridge.adapters.propose.attention import head_rule, is_kept, is_of_heads, scale_of
from weightbridge.adapters.propose.grids import grid_rule, grids
from weightbridge.adapters.propose.kernels import is_exact_tap, tap_rule
from weightbridge.adapters.propose.setting import Partners, Setting
from weightbridge.adapters.propose.stems import is_stem, stem_rule
from weightbridge.adapters.propose.widths import Widths, channel_rule
from weightbridge.matching.confidence import LOSSY
from weightbridge.model.vectors import is_turned_over
from weightbridge.plan import Step

CHANNELS = frozenset("iocgu")
HEAD_AXES = {HEADS: "heads", EACH: "numbers a head"}
HOW = {
    "sum": ", summed",
    "tile": ", tiled and scaled",
    "mean": ", averaged",
    "cycle": ", repeated",
    "resample": ", resampled",
}


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of one tensor by axis; exact where they keep the function."""

    axes: Mapping[str, Rule]
    exact: bool


def channel_steps(
    setting: Setting, widths: Widths, heads: frozenset[int], clean: frozenset[int]
) -> Iterator[Step]:
    """One step per tensor that must change; `clean` groups keep the function when they grow, tensors that
    write `heads` stay fresh.
    """
    for p in setting.partners.values():
        if heads & written_groups(setting, p):
            continue
        rules = _rules(setting, widths, p, clean)
        if rules is not None and (rules.axes or p.tensor.name not in setting.matches):
            yield _step(p, rules)


def written_groups(setting: Setting, p: Partners) -> frozenset[int]:
    axes = [setting.axis(p.layer, letter) for letter in p.letters if letter in ("o", "g", "u")]
    return frozenset(g for axis in axes if axis for g in axis.parts)


def _rules(setting: Setting, widths: Widths, p: Partners, clean: frozenset[int]) -> _Rules | None:
    """None where some axis has no rule, or the source keeps the values with the other sign."""
    if is_turned_over(p.source_layer, p.layer, p.source.role):
        return None
    before = lengths(p.source.shape, p.source_letters, p.letters)
    axes: dict[str, Rule] = {}
    exact = True
    for n, (letter, theirs, ours) in enumerate(zip(p.letters, before, p.tensor.shape, strict=True)):
        rule = _rule(setting, widths, p, (letter, theirs, ours))
        if rule is None:
            return None
        if rule:
            axes[str(n)] = rule
            exact = exact and _keeps(setting, p, letter, rule, clean)
    exact = exact and not p.added_axes
    return _Rules(axes, exact)


def _rule(setting: Setting, widths: Widths, p: Partners, axis: tuple[str, int, int]) -> Rule | None:
    letter, before, after = axis
    if is_of_heads(p, letter):
        return head_rule(p, letter, before, after)
    if letter in CHANNELS:
        if is_stem(setting, p.layer, letter) and before != after:
            return stem_rule(p, before, after)
        if letter == "i" and p.layer.op == p.source_layer.op == "Dense":
            return _dense_rule(setting, widths, p, (before, after))
        return channel_rule(setting, widths, p, letter, (before, after))
    if letter.startswith("x"):
        return tap_rule(p, int(letter[1:]), before, after)
    return {} if before == after else None


def _dense_rule(setting: Setting, widths: Widths, p: Partners, ends: tuple[int, int]) -> Rule | None:
    """By place and channel where a map was flattened on one side."""
    both = grids(setting, p, widths.source, ends)
    if both is not None and both[0].space != both[1].space:
        return grid_rule(setting, p, *both)
    return channel_rule(setting, widths, p, "i", ends)


def _keeps(setting: Setting, p: Partners, letter: str, rule: Rule, clean: frozenset[int]) -> bool:
    if letter.startswith("x"):
        return is_exact_tap(p, int(letter[1:]), rule)
    if is_of_heads(p, letter):
        return is_kept(rule)
    axis = setting.axis(p.layer, letter)
    return rule["rule"] in ("take", "share") and axis is not None and clean.issuperset(axis.parts)


def _step(p: Partners, rules: _Rules) -> Step:
    parameters: dict[str, Any] = {"axes": dict(rules.axes)}
    parameters |= scale_of(p)
    layout = pattern(p.source_letters, p.letters)
    if layout:
        parameters["layout"] = layout
    return Step(
        target=p.tensor.name,
        sources=(p.source.name,),
        kind="transform" if rules.exact else "adapt",
        contract="preserving" if rules.exact else "lossy",
        shape=p.tensor.shape,
        size=p.tensor.size,
        transform="map-axes",
        parameters=parameters,
        confidence=p.pair.confidence if rules.exact else min(p.pair.confidence, LOSSY),
        evidence=p.pair.evidence,
        runners_up=p.pair.runners_up,
        energy_kept=1.0 if rules.exact else None,
        cost=_cost(p, rules),
    )


def _cost(p: Partners, rules: _Rules) -> str:
    added = {str(n) for n, x in enumerate(p.letters) if x in taps(p.letters)[: p.added_axes]}
    changes = cost(p.letters, {n: rule for n, rule in rules.axes.items() if n not in added})
    if not added:
        return changes
    is_spread = any(rule["rule"] == "resample" for n, rule in rules.axes.items() if n in added)
    how = "spread evenly over" if is_spread else "put in the middle of"
    ranks = f"{len(taps(p.source_letters))} -> {len(taps(p.letters))} axes of space"
    inflated = f"inflated from {ranks}: the kernel is {how} what it had no axis for"
    return f"{inflated}, {changes}" if changes else inflated


def cost(letters: tuple[str, ...], axes: Mapping[str, Rule]) -> str:
    """`64 -> 32 channels in, 3 -> 5 taps`: what changes, by axis."""
    return ", ".join(dict.fromkeys(_axis_cost(letters[int(n)], rule) for n, rule in sorted(axes.items())))


def _axis_cost(letter: str, rule: Rule) -> str:
    if rule["rule"] == "grid":
        return _grid_cost(rule)
    before, after = (_total(rule[end]) for end in ("from", "to"))
    return f"{before} -> {after} {_axis_name(letter)}{HOW.get(rule['rule'], '')}"


def _axis_name(letter: str) -> str:
    if letter.startswith("x"):
        return "taps"
    if letter in HEAD_AXES:
        return HEAD_AXES[letter]
    return "input channels" if letter in ("i", "c") else "channels"


def _grid_cost(rule: Rule) -> str:
    before, after = (" x ".join(map(str, rule[end])) for end in ("from", "to"))
    channels = rule["channels"]
    own = "" if channels["from"] == channels["to"] else f", {_axis_cost('i', channels)}"
    return f"{before} -> {after} places of a flattened map, resampled by channel{own}"


def _total(length: int | tuple[int, ...]) -> int:
    return sum(length) if isinstance(length, tuple) else length
