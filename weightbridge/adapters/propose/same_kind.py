"""Proposals for two models of one kind.

Other widths, kernels, input channels, classes, positions or depth.
"""

from collections.abc import Iterable, Iterator, Mapping

from weightbridge.adapters.letters import letters
from weightbridge.adapters.propose.attention import settled_heads
from weightbridge.adapters.propose.channels import channel_steps
from weightbridge.adapters.propose.deeper.depth import depth_steps
from weightbridge.adapters.propose.heads import head_findings, head_layers, replaced_heads
from weightbridge.adapters.propose.losses import loss_findings
from weightbridge.adapters.propose.position_steps import position_steps
from weightbridge.adapters.propose.rows import row_steps
from weightbridge.adapters.propose.setting import Partners, Setting
from weightbridge.adapters.propose.stems import stem_findings
from weightbridge.adapters.propose.values import BY_AXIS, PADDED, Place, Proposal
from weightbridge.adapters.propose.widths import Widths, source_widths
from weightbridge.plan import Step


def propose_same_kind(setting: Setting) -> Proposal:
    widths = source_widths(setting)
    heads = replaced_heads(setting, widths)
    positions = {s.target: s for s in (*position_steps(setting), *row_steps(setting))}
    added = {s.target: s for s in depth_steps(setting, {})}
    clean = _clean_groups(setting, widths, frozenset(added))
    found = {s.target: s for s in channel_steps(setting, widths, heads, clean)} | positions
    steps = tuple(_in_order(setting, found | {s.target: s for s in depth_steps(setting, found)}))
    findings = (
        *stem_findings(setting, steps),
        *head_findings(setting, widths, heads),
        *loss_findings(setting, steps),
    )
    fresh = frozenset(t.name for layer in head_layers(setting, heads) for t in layer.tensors)
    return Proposal(
        steps,
        findings,
        fresh,
        settled=frozenset((*_padded(setting, steps), *_inflated(setting), *settled_heads(setting, steps))),
    )


def _padded(setting: Setting, steps: Iterable[Step]) -> Iterator[Place]:
    """What padding made equal in layers whose kernels gain taps and keep their function."""
    for step in steps:
        rules = step.parameters.get("axes", {}).values() if step.contract == "preserving" else ()
        if any(rule["rule"] == "centre" for rule in rules):
            layer = setting.target.owner[step.target].name
            yield from ((layer, attribute) for attribute in PADDED)


def _inflated(setting: Setting) -> Iterator[Place]:
    """What is equal along the axes that both kernels have."""
    for p in setting.partners.values():
        if p.added_axes:
            yield from ((p.layer.name, name) for name in BY_AXIS if _ends_alike(p, name))


def _ends_alike(p: Partners, name: str) -> bool:
    ours, theirs = p.layer.attributes.get(name), p.source_layer.attributes.get(name)
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple):
        return ours == theirs
    return ours[-len(theirs) :] == theirs


def _in_order(setting: Setting, found: Mapping[str, Step]) -> list[Step]:
    return [found[t.name] for t in setting.target.tensors if t.name in found]


def _clean_groups(setting: Setting, widths: Widths, added: frozenset[str]) -> frozenset[int]:
    """Groups that keep the function when they grow.

    They have one width in the source, nothing mixes their channels, and every tensor on them is filled.
    """
    groups = setting.groups
    grown = {g for g, size in groups.sizes.items() if g not in widths.torn and widths.source[g] <= size}
    uneven = {g for g in grown & groups.even if groups.sizes[g] % widths.source[g]}
    resized = {g for g in grown if widths.source[g] != groups.sizes[g]}
    fixed = (groups.rigid | groups.entering | groups.leaving) & resized
    return frozenset(grown - uneven - fixed - _unfilled(setting, added))


def _unfilled(setting: Setting, added: frozenset[str]) -> set[int]:
    """The groups of tensors that nothing fills."""
    filled = setting.partners.keys() | setting.matches.keys() | added
    groups: set[int] = set()
    for tensor in setting.target.tensors:
        if tensor.name in filled:
            continue
        layer = setting.target.owner[tensor.name]
        for letter in letters(layer, tensor) or ("i", "o"):
            axis = setting.axis(layer, letter)
            groups.update(axis.parts if axis else ())
    return groups
