"""The weights that a written model asks for, as a graph whose tensors have shapes and no values."""

from typing import NoReturn

from weightbridge.converting.from_graph.values import Drawn
from weightbridge.converting.values import Weight
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor


def asked_for(drawn: Drawn) -> LayerGraph:
    layers: dict[str, list[Tensor]] = {}
    for weight in drawn.weights:
        layers.setdefault(weight.layer, []).append(_tensor(weight))
    made = tuple(Layer(name, "Opaque", tensors=tuple(tensors)) for name, tensors in layers.items())
    return LayerGraph(path=drawn.path, format="keras-json", framework="keras", layers=made)


def _tensor(weight: Weight) -> Tensor:
    def load() -> NoReturn:
        raise AssertionError(f"{weight.layer}/{weight.role} has no value yet")

    name = f"{weight.layer}/{weight.role}"
    return Tensor(name, weight.role, weight.shape, "float32", name, load)
