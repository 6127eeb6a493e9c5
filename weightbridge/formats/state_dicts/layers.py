"""State dicts as layers: by the scopes of names, with roles and operations from names and shapes."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from weightbridge.formats.state_dicts.keras_layers import flax_module
from weightbridge.formats.state_dicts.modules import Known, Module, Shapes, stores_turned
from weightbridge.formats.state_dicts.recurrent import RECURRENT, recurrent_module
from weightbridge.formats.state_dicts.scopes import collections_of, scope_and_part
from weightbridge.formats.state_dicts.torch_modules import torch_module
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

ORDER = (
    "kernel",
    "recurrent_kernel",
    "embeddings",
    "gamma",
    "bias",
    "recurrent_bias",
    "beta",
    "moving_mean",
    "moving_variance",
)
STATE = frozenset({"num_batches_tracked", "position_ids", "seed_generator_state"})


class Named(NamedTuple):
    """A tensor with the scope and the last part of its name."""

    tensor: Tensor
    scope: str
    part: str


def is_state(name: str, dtype: str) -> bool:
    """Whether a stored tensor is a counter or a buffer of integers and no weight."""
    last = re.split(r"[./]", name)[-1]
    is_rotary = last == "inv_freq" or name.endswith("rope.freqs")  # what positions and widths give
    return last in STATE or is_rotary or dtype in ("int64", "bool")


def layers_of(tensors: Sequence[Tensor], framework: str) -> tuple[Layer, ...]:
    """One layer per scope, in the order in which the scopes begin."""
    groups: dict[str, list[Named]] = {}
    collections = collections_of([tensor.name for tensor in tensors])
    for tensor in tensors:
        named = Named(tensor, *scope_and_part(tensor.name, collections))
        groups.setdefault(named.scope, []).append(named)
    is_turned = stores_turned([_shapes(members) for members in groups.values()])
    layers: list[Layer] = []
    width = 0
    for scope, members in groups.items():
        layer = _layer(scope, members, framework, Known(width, is_turned))
        width = _width(layer, width)
        layers.append(layer)
    return tuple(layers)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts numbers as numbers."""
    return tuple(_natural_part(part) for part in re.split(r"(\d+)", name))


def _natural_part(part: str) -> tuple[int, int, str]:
    is_number = part.isdecimal() and part.isascii()
    return (0, int(part), part) if is_number else (1, 0, part)


def _shapes(members: Sequence[Named]) -> Shapes:
    return {member.part: member.tensor.shape for member in members}


def _layer(scope: str, members: Sequence[Named], framework: str, known: Known) -> Layer:
    module = _module(scope, _shapes(members), framework, known)
    tensors = []
    for member in members:
        role = module.roles.get(member.part, member.part)
        tensors.append(_with_role(member.tensor, role))
    tensors.sort(key=_place)
    name = scope or members[0].part
    return Layer(name, module.op, "", module.attributes, tuple(tensors))


def _module(scope: str, shapes: Shapes, framework: str, known: Known) -> Module:
    if framework == "keras":
        return flax_module(shapes)
    if any(RECURRENT.match(part) for part in shapes):
        return recurrent_module(shapes)
    return torch_module(scope, shapes, known)


def _width(layer: Layer, before: int) -> int:
    """The channels behind a layer, given those before it."""
    default = layer.tensors[0].shape[0] if layer.op == "BatchNorm" else before
    width: int = layer.attributes.get("filters", default)
    return width


def _place(tensor: Tensor) -> int:
    return ORDER.index(tensor.role) if tensor.role in ORDER else len(ORDER)


def _with_role(tensor: Tensor, role: str) -> Tensor:
    return replace(tensor, role=role)
