"""Layers that a deeper chain has in addition (VGG16 into VGG19): each passes on what it gets.

An identity kernel, and behind it a BatchNorm that undoes its own normalising. What follows must be an
activation that leaves the values as they are: a ReLU behind a ReLU, or none. One layer alone may be an edit
that its author must decide on: it is filled where another architecture was asked for (`--adapt weights`), or
where counters of names go on in two or more places.
"""

import re
from collections.abc import Iterator, Sequence

from weightbridge.adapters.letters import letters, taps
from weightbridge.adapters.propose.deeper.added_norms import norm_steps
from weightbridge.adapters.propose.deeper.added_steps import added_step, filled
from weightbridge.adapters.propose.deeper.branches import activation_after
from weightbridge.adapters.propose.kernels import padding_at
from weightbridge.adapters.propose.layer_channels import activation_of
from weightbridge.adapters.propose.setting import Setting
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import CONVOLUTIONS, DENSE, MERGES, PASSING, RECURRENT, RESHAPES, SPATIAL
from weightbridge.plan import Step

IDENTITY = "identity in a layer that only the target has"
PLACES = 2  # one run alone may be an edit
LINEAR = ("None", "linear")
WEIGHTED = CONVOLUTIONS | DENSE | RECURRENT | {"Embedding"}


def chain_steps(setting: Setting) -> Iterator[Step]:
    added = [layer for layer in setting.target.layers if _is_neutral(setting, layer)]
    numbered = [layer for layer in added if _goes_on(setting, layer)]
    is_family = len({_stem(layer.name) for layer in numbered}) >= PLACES
    wanted = numbered if is_family else []
    for layer in added if setting.is_asked else wanted:
        yield from _identity_steps(setting, layer)
        yield from _norm_steps(setting, layer)


def _goes_on(setting: Setting, layer: Layer) -> bool:
    """Right behind its own kind, whose counter it continues."""
    before = _unit_before(setting, layer)
    if before is None or before.op != layer.op:
        return False
    follows = _stem(before.name) == _stem(layer.name) != ""
    is_known = before.name in setting.pairs or _is_neutral(setting, before)
    return follows and _number(layer.name) == _number(before.name) + 1 and is_known


def _unit_before(setting: Setting, layer: Layer) -> Layer | None:
    """The layer with a kernel before this one, through its norm and activation."""
    graph, name = setting.target, layer.name
    while len(graph.parents[name]) == 1:
        name = graph.parents[name][0]
        if graph.by_name[name].op not in PASSING | {"BatchNorm", "Activation"}:
            return graph.by_name[name]
    return None


def _is_neutral(setting: Setting, layer: Layer) -> bool:
    """A square layer without a source, stride or groups, whose activation changes nothing of what it gets."""
    if layer.op not in ("Conv", "Dense") or layer.name in setting.pairs or not _fits(setting, layer):
        return False
    norm = _norm_behind(setting, layer)
    if norm is None and _has_norm(setting, layer):
        return False
    ends = [activation_of(layer), activation_after(setting.target, (norm or layer).name)]
    if norm is not None and ends[0] not in LINEAR:
        return False
    last = next((end for end in ends if end not in LINEAR), "None")
    return _is_alone(setting, layer) and _passes(setting, layer, last)


def _is_alone(setting: Setting, layer: Layer) -> bool:
    """Whether nothing but this chain reads what a known layer, a merge or another neutral one writes.

    Where a shortcut or another branch reads it too, the layer is no longer one that was put in between.
    """
    graph, name = setting.target, layer.name
    while len(graph.parents[name]) == 1 and len(graph.children[graph.parents[name][0]]) == 1:
        before = graph.by_name[graph.parents[name][0]]
        if before.op in MERGES:
            return True
        if before.op in WEIGHTED:
            return before.name in setting.pairs or _is_neutral(setting, before)
        name = before.name
    return False


def _passes(setting: Setting, layer: Layer, activation: str) -> bool:
    """Whether the activation leaves alone what the layer gets."""
    if activation in LINEAR:
        return True
    return activation in ("relu", "relu6") and _has_passed(
        setting, setting.target.parents[layer.name][0], activation
    )


def _has_passed(setting: Setting, name: str, activation: str) -> bool:
    """Whether these values come from this activation, whatever was pooled or joined since."""
    layer = setting.target.by_name[name]
    if activation_of(layer) == activation:
        return True
    if layer.op not in PASSING | RESHAPES | SPATIAL | {"Concat"}:
        return False
    feeding = setting.target.parents[name]
    return bool(feeding) and all(_has_passed(setting, one, activation) for one in feeding)


def _norm_steps(setting: Setting, layer: Layer) -> Iterator[Step]:
    norm = _norm_behind(setting, layer)
    if norm is not None:
        yield from norm_steps(setting, norm, layer)


def _has_norm(setting: Setting, layer: Layer) -> bool:
    after = [setting.target.by_name[child] for child in setting.target.children[layer.name]]
    return any(child.op == "BatchNorm" for child in after)


def _norm_behind(setting: Setting, layer: Layer) -> Layer | None:
    """The layer's own BatchNorm, without a source too."""
    after = [setting.target.by_name[child] for child in setting.target.children[layer.name]]
    if len(after) != 1 or after[0].op != "BatchNorm" or after[0].name in setting.pairs:
        return None
    is_open = setting.open_targets.issuperset(t.name for t in after[0].tensors)
    return after[0] if is_open else None


def _fits(setting: Setting, layer: Layer) -> bool:
    kernel, attributes = layer.tensor("kernel"), layer.attributes
    if kernel is None or not setting.open_targets.issuperset(t.name for t in layer.tensors):
        return False
    names = letters(layer, kernel)
    if (
        not names
        or any(s != 1 for s in attributes.get("strides") or ())
        or attributes.get("groups") not in (None, 1)
    ):
        return False
    sizes = dict(zip(names, kernel.shape, strict=True))
    return sizes.get("i") == sizes.get("o") and all(
        _place(layer, n, sizes[x]) is not None for n, x in enumerate(taps(names))
    )


def _place(layer: Layer, axis: int, size: int) -> int | None:
    """The tap that sees the place itself; None where the output is another grid than the input."""
    pair = padding_at(layer, axis)
    if pair is None:
        return (size - 1) // 2 if layer.attributes.get("padding") == "same" else None
    return (
        pair[0]
        if sum(pair) == size - 1 and not any(d != 1 for d in layer.attributes.get("dilation") or ())
        else None
    )


def _identity_steps(setting: Setting, layer: Layer) -> Iterator[Step]:
    for tensor in layer.tensors:
        if tensor.role == "kernel":
            yield added_step(tensor, (), "identity-kernel", {"taps": _own_places(layer, tensor)}, IDENTITY)
        else:
            yield filled(tensor, 0.0, IDENTITY)


def _own_places(layer: Layer, kernel: Tensor) -> dict[str, int | None]:
    """By axis of taps, the tap that sees the place itself."""
    names = letters(layer, kernel)
    places = {}
    for n, letter in enumerate(taps(names)):
        axis = names.index(letter)
        places[str(axis)] = _place(layer, n, kernel.shape[axis])
    return places


def _split(name: str) -> Sequence[str]:
    found = re.fullmatch(r"(.*?[a-z_])(\d+)", name)
    return found.groups() if found else ("", "0")


def _stem(name: str) -> str:
    return _split(name)[0]


def _number(name: str) -> int:
    return int(_split(name)[1])
