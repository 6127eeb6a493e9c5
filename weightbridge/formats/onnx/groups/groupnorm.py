"""torch's GroupNorm: an InstanceNormalization of groups, a scale and a shift become one layer again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Draft, Site, Slot, constants_read
from weightbridge.formats.onnx.proto import Node

LARGEST = 1024  # numbers of a scale that are looked at


@dataclass(frozen=True, slots=True)
class _Followers:
    """The drafts behind a normalisation of groups, by index."""

    view: int
    scale: int
    shift: int


def with_group_norms(site: Site, drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts with every such group of four joined.

    The node's own scale and shift are all ones and zeros, one per group.
    """
    reader = _readers(site, drafts)
    joined: set[int] = set()
    changed: dict[int, Draft] = {}
    for n, norm in enumerate(drafts):
        if norm.class_name != "InstanceNormalization" or not _is_neutral(site, norm):
            continue
        followers = _followers(drafts, reader, norm)
        if followers is None:
            continue
        view, scale, shift = drafts[followers.view], drafts[followers.scale], drafts[followers.shift]
        changed[n] = replace(norm, slots=_slots(scale, shift), shown=shift.shown)
        changed[followers.view] = replace(view, outputs=(*view.outputs, *scale.outputs, *shift.outputs))
        joined |= {followers.scale, followers.shift}
    return [changed.get(n, draft) for n, draft in enumerate(drafts) if n not in joined]


def is_neutral(site: Site, node: Node, index: int) -> bool:
    """Whether a node normalises, and its scale of ones and shift of zeros are no weights."""
    if node.op != "InstanceNormalization":
        return False
    constants = constants_read(site, node, index)
    if len(constants) != 2 or any(constant.size > LARGEST for constant in constants):
        return False
    scale, shift = (site.read(constant.header) for constant in constants)
    return bool((scale == 1).all() and (shift == 0).all())


def _readers(site: Site, drafts: Sequence[Draft]) -> Mapping[str, int]:
    """The draft that alone reads a value."""
    readers: dict[str, int] = {}
    for n, draft in enumerate(drafts):
        for value in draft.inputs:
            if site.net.only_reader(value) is not None:
                readers[value] = n
    return readers


def _is_neutral(site: Site, norm: Draft) -> bool:
    """Whether the node's own scale is ones and its shift zeros."""
    gamma, beta = norm.slot("gamma"), norm.slot("beta")
    if gamma is None or beta is None or gamma.constant.size > LARGEST:
        return False
    scale = site.read(gamma.constant.header)
    shift = site.read(beta.constant.header)
    return bool((scale == 1).all() and (shift == 0).all())


def _followers(drafts: Sequence[Draft], reader: Mapping[str, int], norm: Draft) -> _Followers | None:
    """The Reshape, Scale and Shift that read the norm's value, one after another."""
    indices: list[int] = []
    value = norm.shown
    for op in ("Reshape", "Scale", "Shift"):
        n = reader.get(value)
        if n is None or drafts[n].op != op:
            return None
        indices.append(n)
        value = drafts[n].shown
    return _Followers(*indices)


def _slots(scale: Draft, shift: Draft) -> tuple[Slot, ...]:
    gamma = Slot("gamma", scale.slots[0].constant)
    beta = Slot("beta", shift.slots[0].constant)
    return gamma, beta
