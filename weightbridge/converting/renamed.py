"""Names that Keras 3 refuses: a slash in the name of a layer."""

from dataclasses import replace
from types import MappingProxyType

from weightbridge.converting.values import Said, note
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.model.graph import Layer, LayerGraph

PLAIN = "Keras 3 refuses a slash in a name: there is `_` in its place"


def renamed(layer: ConfigLayer, said: Said) -> ConfigLayer:
    """The same tree with names that Keras 3 takes, and what refers to them."""
    inner = tuple(renamed(one, said) for one in layer.layers)
    name = plain(layer.name)
    if name != layer.name:
        note(said.rewritten, PLAIN, layer.name)
    return replace(
        layer,
        name=name,
        config=MappingProxyType({**layer.config, "name": name}),
        layers=inner,
        calls=tuple(map(_called, layer.calls)),
        inputs=tuple(map(_referred, layer.inputs)),
        outputs=tuple(map(_referred, layer.outputs)),
    )


def plain(name: str) -> str:
    return name.replace("/", "_")


def counterpart(graph: LayerGraph, name: str) -> Layer | None:
    """The layer that a converted one comes from: of the same name, or of one that is plain alike."""
    found = graph.by_name.get(name)
    if found is not None:
        return found
    alike = [layer for layer in graph.layers if plain(layer.name) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def _called(call: Call) -> Call:
    return replace(call, inputs=tuple(map(_referred, call.inputs)))


def _referred(reference: Reference) -> Reference:
    return replace(reference, layer=plain(reference.layer))
