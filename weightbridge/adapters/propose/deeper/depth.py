"""Layers that only the target has.

Extra residual blocks add zero, a deeper chain gets identity kernels.

A single inserted layer is an edit that its author must decide on; it stays without a source (WB202). What
tells a deeper member of a family from an edit: a residual branch that can be silenced (the function is kept
whatever the branch holds), or counters of names that go on in two or more places (`block3_conv3` after
`block3_conv2`, `block4_conv3` after `block4_conv2`).
"""

from collections.abc import Iterator, Mapping, Sequence

from weightbridge.adapters.propose.deeper.added_steps import added_step, filled, own_start
from weightbridge.adapters.propose.deeper.branches import Branch
from weightbridge.adapters.propose.deeper.chains import chain_steps
from weightbridge.adapters.propose.setting import Setting
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step

SILENCING = frozenset({"gamma", "beta", "kernel", "bias"})
SILENT = "the last layer of an added residual branch is zero, so that the function is kept"


def depth_steps(setting: Setting, found: Mapping[str, Step]) -> Iterator[Step]:
    """Steps for added layers; `found` are the steps of their siblings, where those are adapted themselves."""
    lenders: dict[tuple[object, ...], list[Branch]] = {}
    for branch in setting.branches:
        if all(layer.name in setting.pairs for layer in branch.layers):
            lenders.setdefault(branch.form, []).append(branch)
    for branch in _extra(setting):
        yield from _silenced(setting, branch, _siblings(setting, branch, lenders.get(branch.form, ())), found)
    yield from chain_steps(setting)


def _extra(setting: Setting) -> Iterator[Branch]:
    """Branches none of whose layers has a source."""
    for branch in setting.branches:
        tensors = [t.name for layer in branch.layers for t in layer.tensors]
        if setting.open_targets.issuperset(tensors) and not any(
            layer.name in setting.pairs for layer in branch.layers
        ):
            yield branch


def _siblings(setting: Setting, branch: Branch, lenders: Sequence[Branch]) -> Mapping[str, Layer]:
    """Per layer of the branch that at its place in the nearest lender."""
    if not lenders:
        return {}
    place = setting.target.place
    nearest = min(lenders, key=lambda b: abs(place[b.merge] - place[branch.merge]))
    return {ours.name: theirs for ours, theirs in zip(branch.layers, nearest.layers, strict=True)}


def _silenced(
    setting: Setting, branch: Branch, origin: Mapping[str, Layer], found: Mapping[str, Step]
) -> Iterator[Step]:
    """The last layer of the branch is zero; the others start as copies of their siblings, and can learn."""
    for layer, tensor in _open_tensors(setting, branch):
        if layer.name == branch.last.name and tensor.role in SILENCING:
            yield filled(tensor, 0.0, SILENT)
        else:
            yield _copied(setting, layer, tensor, origin.get(layer.name), found)


def _open_tensors(setting: Setting, branch: Branch) -> list[tuple[Layer, Tensor]]:
    tensors = [(layer, tensor) for layer in branch.layers for tensor in layer.tensors]
    return [(layer, tensor) for layer, tensor in tensors if tensor.name in setting.open_targets]


def _copied(
    setting: Setting, layer: Layer, tensor: Tensor, sibling: Layer | None, found: Mapping[str, Step]
) -> Step:
    twin = sibling.tensor(tensor.role) if sibling else None
    match, step = (setting.matches.get(twin.name), found.get(twin.name)) if twin else (None, None)
    if sibling is None or (match is None and step is None):
        return neutral(layer, tensor)
    given = step or match
    assert given is not None
    cost = f"starts as a copy of {sibling.name}; the added block it belongs to adds zero"
    return added_step(tensor, given.sources, given.transform, given.parameters, cost)


NEUTRAL = {"gamma": 1.0, "moving_variance": 1.0, "bias": 0.0, "beta": 0.0, "moving_mean": 0.0}
OWN_START = "starts as the target has initialised it; the added block it belongs to adds zero"


def neutral(layer: Layer, tensor: Tensor) -> Step:
    """A BatchNorm that passes on what it gets, but for its epsilon; what multiplies keeps the target's value.

    Zeros there would leave the closing layer, which is zero too, without a gradient.
    """
    value = NEUTRAL.get(tensor.role)
    if value is None:
        return own_start(tensor, OWN_START)
    return filled(tensor, value, f"{value:g} in a layer that only the target has ({layer.name})")
