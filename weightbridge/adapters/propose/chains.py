"""Deeper plain chains (VGG16 into VGG19).

Identity kernels, where the names show a deeper member of the same family.
"""

import re
from collections.abc import Iterator, Sequence

from weightbridge.adapters.letters import letters, taps
from weightbridge.adapters.propose.added_steps import added_step, filled
from weightbridge.adapters.propose.kernels import padding_at
from weightbridge.adapters.propose.layer_channels import activation_of
from weightbridge.adapters.propose.setting import Setting
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step

IDENTITY = "identity in a layer that only the target has"
PLACES = 2  # one run alone may be an edit


def chain_steps(setting: Setting) -> Iterator[Step]:
    added = [layer for layer in setting.target.layers if _goes_on(setting, layer)]
    if len({_stem(layer.name) for layer in added}) < PLACES:
        return
    for layer in added:
        yield from _identity_steps(setting, layer)


def _goes_on(setting: Setting, layer: Layer) -> bool:
    """A square convolution without a source right behind its own kind, whose counter it continues, after a
    ReLU.
    """
    feeding = setting.target.parents[layer.name]
    before = setting.target.by_name[feeding[0]] if len(feeding) == 1 else None
    if before is None or layer.name in setting.pairs or layer.op != "Conv" or not _fits(setting, layer):
        return False
    follows = (
        _stem(before.name) == _stem(layer.name) != "" and _number(layer.name) == _number(before.name) + 1
    )
    known = before.name in setting.pairs or _goes_on(setting, before)
    return follows and known and before.op == "Conv" and _is_relu(before) and _is_relu(layer)


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


def _is_relu(layer: Layer) -> bool:
    return activation_of(layer) == "relu"


def _split(name: str) -> Sequence[str]:
    found = re.fullmatch(r"(.*?[a-z_])(\d+)", name)
    return found.groups() if found else ("", "0")


def _stem(name: str) -> str:
    return _split(name)[0]


def _number(name: str) -> int:
    return int(_split(name)[1])
