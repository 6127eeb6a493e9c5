"""Names that Keras 3 refuses: with a slash, or those that it gives to operations on masks itself."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from weightbridge.converting.values import Said, note
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.config import ConfigLayer, walk
from weightbridge.model.graph import Layer, LayerGraph

PLAIN = "Keras 3 refuses a slash in a name: there is `_` in its place"
OF_MASKS = "Keras 3 calls an operation on masks so, and refuses two of one name: there is `_layer` behind it"
OPERATIONS = frozenset({"concatenate", "any", "all", "not_equal", "logical_and", "logical_or", "ones_like"})
BEHIND = "_layer"
Naming = Callable[[str], str]


def renamed(model: ConfigLayer, said: Said) -> ConfigLayer:
    """The same tree with names that Keras 3 takes, and what refers to them."""
    is_modern = any(call.modern for layer in walk(model) for call in layer.calls)
    has_masks = not is_modern and any(map(_makes_a_mask, walk(model)))
    return _renamed(model, unlike_operations if has_masks else plain, said)


def _makes_a_mask(layer: ConfigLayer) -> bool:
    return layer.class_name == "Masking" or layer.config.get("mask_zero") is True


def _renamed(layer: ConfigLayer, naming: Naming, said: Said) -> ConfigLayer:
    name = naming(layer.name)
    if name != layer.name:
        note(said.rewritten, PLAIN if "/" in layer.name else OF_MASKS, layer.name)
    return replace(
        layer,
        name=name,
        config=MappingProxyType({**layer.config, "name": name}),
        layers=tuple(_renamed(inner, naming, said) for inner in layer.layers),
        calls=tuple(_called(call, naming) for call in layer.calls),
        inputs=_referred(layer.inputs, naming),
        outputs=_referred(layer.outputs, naming),
    )


def plain(name: str) -> str:
    return name.replace("/", "_")


def unlike_operations(name: str) -> str:
    return f"{name}{BEHIND}" if name in OPERATIONS else plain(name)


def counterpart(graph: LayerGraph, name: str) -> Layer | None:
    """The layer that a converted one comes from: of the same name, or of one that is plain alike."""
    found = graph.by_name.get(name)
    if found is not None:
        return found
    alike = [layer for layer in graph.layers if plain(layer.name) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def _called(call: Call, naming: Naming) -> Call:
    return replace(call, inputs=_referred(call.inputs, naming))


def _referred(references: tuple[Reference, ...], naming: Naming) -> tuple[Reference, ...]:
    return tuple(replace(reference, layer=naming(reference.layer)) for reference in references)
