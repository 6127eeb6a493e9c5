"""Variables of a checkpoint -> layers, by the scopes of their names."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from weightbridge.errors import Unsupported
from weightbridge.formats.containers import Region
from weightbridge.formats.hdf5.tree import Dataset
from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.keras.variables.infer import class_of_group, guess
from weightbridge.formats.keras.variables.legacy import TODAY
from weightbridge.formats.keras.variables.legacy_names import CELL, ROLES, role_of
from weightbridge.formats.keras.variables.loose import stored_layers
from weightbridge.formats.keras.variables.stored import Stored, Variable
from weightbridge.formats.keras.variables.tensors import STATISTICS
from weightbridge.formats.state_dicts.layers import natural
from weightbridge.formats.tensorflow.bundle.read import Bundle
from weightbridge.formats.tensorflow.bundle.values import load
from weightbridge.formats.tensorflow.checkpoint.names import AVERAGE, Named
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor, dtype_of

SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("weights", "weight", "w", "W", "filter", "filters"), "kernel"),
    **dict.fromkeys(("biases", "b", "B"), "bias"),
    "g": "gamma",
    "depthwise_weights": "depthwise_kernel",
    "pointwise_weights": "pointwise_kernel",
}
ORDER = (
    "depthwise_kernel",
    "pointwise_kernel",
    "kernel",
    "recurrent_kernel",
    "embeddings",
    "gamma",
    "beta",
    "bias",
    *STATISTICS,
)
NORM_ONLY = frozenset({"offset", "g", "gamma", "moving_mean", "moving_variance"})
NUMBERS = re.compile(r"(float|bfloat|int|uint)\d.*")
MATRIX = 2


class Part(NamedTuple):
    """A weight, the layer that its name puts it in, and what it is called there."""

    named: Named
    scope: tuple[str, ...]
    cell: str
    last: str


def layers_of(bundle: Bundle, weights: Sequence[Named], *, is_sorted: bool) -> tuple[Layer, ...]:
    """One layer per scope, in the order given, or (is_sorted) in the natural order of names.

    Raises Unsupported for a dtype.
    """
    parts = [_part(bundle, named) for named in weights]
    if is_sorted:
        parts.sort(key=lambda part: natural(part.named.name))
    groups: dict[tuple[str, ...], list[Part]] = {}
    for part in parts:
        groups.setdefault(part.scope, []).append(part)
    make = partial(_tensor, bundle)
    layers: list[Layer] = []
    for stored in [s for scope, members in groups.items() for s in _stored(bundle, scope, members)]:
        layers.extend(stored_layers(stored, stored.name, make))
    return tuple(layers)


def _part(bundle: Bundle, named: Named) -> Part:
    """Where a weight belongs: embeddings among other weights are a layer, a cell is its layer."""
    *scope, last = named.name.removesuffix(f"/{AVERAGE}").split("/")
    entry = bundle.entries[named.key]
    if not NUMBERS.fullmatch(entry.dtype):
        raise Unsupported(
            f"a weight of dtype {entry.dtype or 'unknown'}",
            where=f"{bundle.prefix}: {named.name}",
            fix="Weights are numbers",
        )
    is_table = len(entry.shape) == MATRIX and "embed" in last.lower()
    if is_table and last not in ROLES:
        return Part(named, (*scope, last), "", "embeddings")
    cells = [part for part in scope[1:] if CELL.fullmatch(part)]
    outside = [part for part in scope[1:] if not CELL.fullmatch(part)]
    return Part(named, (*scope[:1], *outside), cells[0] if cells else "", last)


def _stored(bundle: Bundle, scope: tuple[str, ...], members: Sequence[Part]) -> list[Stored]:
    """One layer; where roles occur twice (cells of a stack), one for each full scope."""
    lasts = [member.last for member in members]
    if len(set(lasts)) == len(lasts):
        return [_layer(bundle, "/".join(scope) or lasts[0], members)]
    groups: dict[str, list[Part]] = {}
    for member in members:
        full_scope = member.named.name.rpartition("/")[0]
        groups.setdefault(full_scope, []).append(member)
    return [_layer(bundle, name or "model", parts) for name, parts in groups.items()]


def _layer(bundle: Bundle, name: str, members: Sequence[Part]) -> Stored:
    lasts = tuple(member.last for member in members)
    roles = _roles(lasts)
    if len(set(roles)) < len(roles):
        roles = lasts
    class_name = _class_name(bundle, name, members, roles)
    variables = []
    for member, role in zip(members, roles, strict=True):
        dataset = bundle_dataset(bundle, member.named.key)
        variables.append(Variable(member.named.name, _today(class_name, role), dataset))
    return Stored(name, class_name, tuple(sorted(variables, key=_place)))


def _class_name(bundle: Bundle, name: str, members: Sequence[Part], roles: tuple[str, ...]) -> str:
    """The class, or the name of a cell of TensorFlow 1.

    Such a cell keeps both kernels as one, gates in an order of its own.
    """
    cell = next((member.cell for member in members if member.cell), "")
    if cell and "recurrent_kernel" not in roles:
        return cell
    hint = name.lower()
    if not class_of_group(name.rsplit("/", 1)[-1]):
        hint = re.sub(r"[^a-z0-9/]+", "_", hint)
    shapes = tuple(bundle.entries[member.named.key].shape for member in members)
    return guess(roles, shapes, hint).class_name


def _roles(lasts: Sequence[str]) -> tuple[str, ...]:
    """What the last parts of names say, seen together: a `scale` beside an `offset`, a `b` beside a `g`."""
    plain = [last.removeprefix("_") or last for last in lasts]
    is_norm = not NORM_ONLY.isdisjoint(plain)
    in_norm = {"scale": "gamma", "offset": "beta", "b": "beta"} if is_norm else {}
    return tuple(in_norm.get(last) or SYNONYMS.get(last) or role_of(last) for last in plain)


def _today(class_name: str, role: str) -> str:
    op = CLASSES[class_name].op if class_name in CLASSES else ""
    return TODAY.get((op, role), role)


def _place(variable: Variable) -> int:
    return ORDER.index(variable.role) if variable.role in ORDER else len(ORDER)


def bundle_dataset(bundle: Bundle, key: str) -> Dataset:
    """A checkpoint's variable in the words of an HDF5 file; its bytes are not there."""
    entry = bundle.entries[key]
    nowhere = Region(bundle.prefix, 0, 0, key)
    return Dataset(key, entry.shape, dtype_of(entry.dtype), None, entry.size, nowhere)


def _tensor(bundle: Bundle, _: str, variable: Variable, trainable: bool) -> Tensor:
    return bundle_tensor(bundle, variable.name, variable, trainable)


def bundle_tensor(bundle: Bundle, name: str, variable: Variable, trainable: bool) -> Tensor:
    """The tensor of a stored variable."""
    key = variable.dataset.path
    entry = bundle.entries[key]
    is_trained = trainable and variable.role not in STATISTICS
    values = partial(load, bundle, key)
    return Tensor(name, variable.role, entry.shape, entry.dtype, key, values, is_trained)
