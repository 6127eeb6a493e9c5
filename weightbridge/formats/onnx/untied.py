"""Initializers that several layers read: one tensor for each of them, where they are not one weight."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from weightbridge.formats.onnx.uses import Use
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Tensor

Uses = Mapping[tuple[str, str], Use]  # by layer and role
APART = "apart"  # a layer's detail: the initializers that it has read so far, by role
LONGEST = 1 << 20  # numbers of a vector that is looked into


def with_merged_apart(layers: tuple[Layer, ...], uses: Uses) -> tuple[Layer, ...]:
    """The layers, each with its own vectors where an exporter has merged equal ones: all zeros, all ones.

    Not those of a layer that is called again, whose kernel is shared too.
    """
    tensors = {tensor.name: tensor for layer in layers for tensor in layer.tensors}
    sharing = _not_called_again(layers, tensors)
    chosen = {layer.name: frozenset(_merged(layer, tensors, uses)) for layer in sharing}
    return _untied(layers, {name: roles for name, roles in chosen.items() if roles})


def _not_called_again(layers: tuple[Layer, ...], tensors: Mapping[str, Tensor]) -> list[Layer]:
    """The layers that share vectors alone; where kernels are shared, not those that share all they have."""
    sharing = [layer for layer in layers if _tied(layer) and not _has_kernel(layer, tensors)]
    if any(_has_kernel(layer, tensors) for layer in layers):
        return [layer for layer in sharing if not _is_twin(layer, tensors)]
    return sharing


def with_calls_apart(layers: tuple[Layer, ...], uses: Uses, again: Collection[str]) -> tuple[Layer, ...]:
    """The layers, of which these have tensors of their own, where the file can be made to read them."""
    tied = {layer.name: _tied(layer).keys() for layer in layers if layer.name in again}
    chosen = {name: roles for name, roles in tied.items() if all((name, role) in uses for role in roles)}
    return _untied(layers, {name: roles for name, roles in chosen.items() if roles})


def _untied(layers: tuple[Layer, ...], chosen: Mapping[str, Collection[str]]) -> tuple[Layer, ...]:
    """A tensor is named after its layer and role, which is what its initializer will be called in a copy."""
    tensors = {tensor.name: tensor for layer in layers for tensor in layer.tensors}
    names = set(tensors)
    return tuple(
        _apart(layer, tensors, names, chosen[layer.name]) if layer.name in chosen else layer
        for layer in layers
    )


def _has_kernel(layer: Layer, tensors: Mapping[str, Tensor]) -> bool:
    """Whether it shares a tensor of several axes."""
    return any(len(tensors[name].shape) > 1 for name in _tied(layer).values() if name in tensors)


def _is_twin(layer: Layer, tensors: Mapping[str, Tensor]) -> bool:
    """Whether all its tensors are those of another layer, role by role."""
    tied = _tied(layer)
    shared = [tensors[name] for name in tied.values() if name in tensors]
    return not layer.tensors and [tensor.role for tensor in shared] == list(tied)


def _merged(layer: Layer, tensors: Mapping[str, Tensor], uses: Uses) -> Iterator[str]:
    """The roles whose vector holds one number throughout."""
    for role, name in _tied(layer).items():
        tensor = tensors.get(name)
        if tensor is not None and (layer.name, role) in uses and _is_constant(tensor):
            yield role


def _is_constant(tensor: Tensor) -> bool:
    if len(tensor.shape) != 1 or not 1 < tensor.size <= LONGEST:
        return False
    values = tensor.load()
    return bool((values == values[0]).all())


def _tied(layer: Layer) -> Mapping[str, str]:
    tied: Mapping[str, str] = layer.attributes.get("tied") or {}
    return tied


def _apart(layer: Layer, tensors: Mapping[str, Tensor], names: set[str], roles: Collection[str]) -> Layer:
    tied = _tied(layer)
    made = []
    for role in (role for role in tied if role in roles):
        name = _unique(f"{layer.name}/{role}", names)
        made.append(replace(tensors[tied[role]], name=name, key=name, role=role))
    left = {role: name for role, name in tied.items() if role not in roles}
    attributes = {k: v for k, v in layer.attributes.items() if k not in ("tied", "shared_with")}
    attributes |= {"tied": left} if left else {}
    details = {**layer.details, APART: {role: tied[role] for role in tied if role in roles}}
    own = replace(layer, attributes=attributes, details=details, tensors=(*layer.tensors, *made))
    (found,) = with_axes([own], "onnx")
    return found


def _unique(name: str, names: set[str]) -> str:
    found, n = name, 1
    while found in names:
        n += 1
        found = f"{name}~{n}"
    names.add(found)
    return found
