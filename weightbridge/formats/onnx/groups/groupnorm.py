"""torch writes GroupNorm as an InstanceNormalization of reshaped groups, then a scale and a shift: one layer
again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.formats.onnx.drafts import Draft, Site, Slot


def with_group_norms(site: Site, drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts with every such group of four joined; its own scale and shift are all ones and zeros, one
    per group.
    """
    reader = _readers(site, drafts)
    gone: set[int] = set()
    changed: dict[int, Draft] = {}
    for n, norm in enumerate(drafts):
        if norm.class_name != "InstanceNormalization" or not _is_neutral(site, norm):
            continue
        view = reader.get(norm.shown)
        scale = reader.get(drafts[view].shown) if view is not None and drafts[view].op == "Reshape" else None
        shift = reader.get(drafts[scale].shown) if scale is not None and drafts[scale].op == "Scale" else None
        if scale is None or shift is None or drafts[shift].op != "Shift":
            continue
        changed[n] = replace(norm, slots=_slots(drafts[scale], drafts[shift]), shown=drafts[shift].shown)
        made = (*drafts[scale].outputs, *drafts[shift].outputs)
        view = view if view is not None else n
        changed[view] = replace(drafts[view], outputs=(*drafts[view].outputs, *made))
        gone |= {scale, shift}
    return [changed.get(n, d) for n, d in enumerate(drafts) if n not in gone]


def _readers(site: Site, drafts: Sequence[Draft]) -> Mapping[str, int]:
    """The draft that alone reads a value."""
    found: dict[str, int] = {}
    for n, d in enumerate(drafts):
        found.update({v: n for v in d.inputs if site.net.only_reader(v) is not None})
    return found


def _is_neutral(site: Site, norm: Draft) -> bool:
    """Whether the node's own scale is ones and its shift zeros."""
    gamma, beta = norm.slot("gamma"), norm.slot("beta")
    if gamma is None or beta is None or gamma.constant.size > 1024:
        return False
    values = [site.read(s.constant.header) for s in (gamma, beta)]
    return bool((values[0] == 1).all() and (values[1] == 0).all())


def _slots(scale: Draft, shift: Draft) -> tuple[Slot, ...]:
    return Slot("gamma", scale.slots[0].constant), Slot("beta", shift.slots[0].constant)
