"""Keras 3's layout: groups with variables 0, 1, 2, ... under `vars`; roles by class and order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod

from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.architecture.classes import CLASSES, roles, variable_name
from weightbridge.formats.keras.architecture.flow import Node
from weightbridge.formats.keras.variables.copied import copied_kernel
from weightbridge.formats.keras.variables.groups import (
    group_at,
    is_state,
    layer_groups,
    own_variables,
    user_name,
)
from weightbridge.formats.keras.variables.infer import UNTOLD, class_of_group, guess
from weightbridge.formats.keras.variables.quantised import mode_of, quantised_mode, quantised_roles
from weightbridge.formats.keras.variables.stored import Shapes, Stored, Variable
from weightbridge.formats.keras.variables.tensors import datasets_of, tensor_of
from weightbridge.formats.left_out import left_out
from weightbridge.model.graph import Excluded, Layer
from weightbridge.model.tensors import Tensor, name_of

QUANTISED = ("Dense", "EinsumDense", "Embedding")
SPECTRAL, VECTOR = "SpectralNormalization", "vector_u"
OPTIMIZER = ("optimizer", "_optimizer")


class VariableStore:
    """A tree of groups; remembers which of them a layer has taken, and where each layer is stored."""

    def __init__(self, root: Group) -> None:
        self.root = root
        self.taken: set[str] = set()
        self.places: dict[str, str] = {}

    def take(self, node: Node, _: Shapes) -> Stored:
        group, own = _group_of(self.root, node)
        self.places[node.owner] = node.store if group is None else group.path
        self.taken.update(dataset.path for dataset in own)
        layer = node.layer
        expected = None if is_custom(node) else roles(layer.class_name, layer.config)
        parts = () if group is None or layer.layers else self._parts(group)
        if expected is not None and len(own) > len(expected):
            expected = quantised_roles(expected, mode_of(layer.config), len(own))
        if expected is None or len(own) > len(expected):
            return unnamed(layer.name, own, layer.class_name, parts)
        return _known(layer.class_name, expected, own, parts)

    def _parts(self, group: Group) -> tuple[Stored, ...]:
        """Sub-layers of a layer whose inside no config tells: groups below it."""
        parts = tuple(sublayers(group))
        self.taken.update(variable.dataset.path for part in parts for variable in part.variables)
        return parts

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        return tensor_of(layer, variable, trainable, copied_kernel(self.root, variable.dataset))

    def rest(self) -> tuple[Stored, ...]:
        """Layers that no node has taken: all of them where there is no architecture."""
        has_architecture = bool(self.taken)
        own = of_model(user_name(self.root) or "model", own_variables(self.root))
        own = _without(own, self.taken)
        layers = [own] if own.variables else []
        for part in sublayers(self.root):
            left = _without(part, self.taken)
            if left.variables or not has_architecture:
                layers.append(left)
        return tuple(layers)


def _known(
    class_name: str, expected: tuple[str, ...], own: Sequence[Dataset], parts: tuple[Stored, ...]
) -> Stored:
    """The variables of a class of Keras's own by their numbers, and those that the file lacks."""
    numbered = dict(enumerate(own))
    if len(own) < len(expected) and all(_key(dataset).isdecimal() for dataset in own):
        numbered = {int(_key(dataset)): dataset for dataset in own}
    variables = tuple(
        Variable(variable_name(class_name, role), role, numbered[n])
        for n, role in enumerate(expected)
        if n in numbered
    )
    missing = tuple(role for n, role in enumerate(expected) if n not in numbered)
    return Stored(class_name=class_name, variables=variables, parts=parts, missing=missing)


def _group_of(root: Group, node: Node) -> tuple[Group | None, tuple[Dataset, ...]]:
    """The group of a node's layer and its variables, which may be those of its only cell."""
    group = group_at(root, node.store)
    own = own_variables(group)
    cell = group.group("cell") if group else None
    if own or cell is None or node.layer.layers:
        return group, own
    return cell, own_variables(cell)


def excluded(root: Group, layers: Iterable[Layer]) -> tuple[Excluded, ...]:
    """The stored arrays that no layer has: optimizer state, metrics, seed generators, and what is foreign."""
    held = _held(layers)
    return tuple(_excluded(dataset) for dataset in root.datasets() if dataset.path not in held)


def foreign(root: Group, layers: Iterable[Layer]) -> tuple[Finding, ...]:
    """A note of arrays that look like weights and stand where Keras keeps none."""
    held = _held(layers)
    left = (d for d in root.datasets() if d.path not in held and not is_state(d.path))
    return left_out([d.path for d in left if d.dtype.kind == "f" and len(d.shape) > 1 and prod(d.shape) > 1])


def _held(layers: Iterable[Layer]) -> set[str]:
    """Where the layers' tensors are stored, some of them twice."""
    tensors = [tensor for layer in layers for tensor in layer.tensors]
    return {tensor.key for tensor in tensors} | datasets_of(tensors).keys()


def _excluded(dataset: Dataset) -> Excluded:
    is_of_optimizer = dataset.path.startswith(OPTIMIZER)
    return Excluded(dataset.path, "optimizer" if is_of_optimizer else "state", prod(dataset.shape))


def is_custom(node: Node) -> bool:
    """Whether a layer's class is none of Keras's own, even if it has the name of one."""
    layer = node.layer
    if layer.module:
        return layer.module != "builtins" and layer.module.split(".")[0] != "keras"
    return bool(layer.registered) or ">" in layer.class_name or layer.class_name not in CLASSES


def sublayers(root: Group) -> Iterator[Stored]:
    """Every group that stands for a layer, in the order in which they were saved."""
    for group, names in layer_groups(root):
        hint = group.path.removesuffix("/cell")
        hint = "/".join(names) if hint.endswith("/layer") else hint
        yield unnamed("/".join(names), own_variables(group), "", (), hint)


def of_model(name: str, own: Sequence[Dataset]) -> Stored:
    """Variables that the model itself holds: two equal vectors of one that has layers are no norm."""
    variables = []
    for dataset in own:
        key = _key(dataset)
        variables.append(Variable(key, _untold(key), dataset))
    return Stored(name, "", tuple(variables), ())


def unnamed(
    name: str, own: Sequence[Dataset], class_name: str, parts: tuple[Stored, ...], hint: str = ""
) -> Stored:
    """Variables of which the file tells order and shapes: roles by what they look like."""
    quantised = _quantised_guess(own, hint or name)
    if quantised is not None:
        return replace(quantised, name=name, parts=parts)
    keys = [_key(dataset) for dataset in own]
    if keys == ["1"]:  # the first is the kernel of what is wrapped
        return Stored(name, SPECTRAL, (Variable(VECTOR, VECTOR, own[0]),), parts)
    shapes = tuple(dataset.shape for dataset in own)
    guessed = guess(tuple(map(_untold, keys)), shapes, hint or name)
    variables = []
    for key, role, dataset in zip(keys, guessed.roles, own, strict=True):
        last = key if UNTOLD.fullmatch(role) else variable_name(guessed.class_name, role)
        variables.append(Variable(last, role, dataset))
    told = class_name or guessed.class_name or class_of_group(hint.rsplit("/", 1)[-1])
    return Stored(name, told, tuple(variables), parts)


def _quantised_guess(own: Sequence[Dataset], hint: str) -> Stored | None:
    """A layer of which the storage group's name and a first variable of codes tell that it was quantised."""
    mode = quantised_mode([(name_of(dataset.dtype), dataset.shape) for dataset in own])
    last = hint.rsplit("/", 1)[-1]
    class_name = class_of_group(last)
    if mode and not class_name and last.endswith("_dense"):
        class_name = "EinsumDense"  # a projection of attention
    if not mode or class_name not in QUANTISED:
        return None
    is_odd = len(own) % 2 == 1  # but for the bias, variables come in twos
    has_bias = class_name != "Embedding" and is_odd == (mode != "float8")
    plain = roles(class_name, {"use_bias": has_bias, "bias_axes": "x" if has_bias else None}) or ()
    expected = quantised_roles(plain, mode, len(own))
    return None if expected is None else _known(class_name, expected, own, ())


def _key(dataset: Dataset) -> str:
    return dataset.path.rsplit("/", 1)[-1]


def _untold(key: str) -> str:
    """The role of a variable that the file only counts: `0` -> `var0`."""
    return f"var{key}" if key.isdigit() else key


def _without(part: Stored, taken: set[str]) -> Stored:
    variables = tuple(variable for variable in part.variables if variable.dataset.path not in taken)
    return replace(part, variables=variables)
