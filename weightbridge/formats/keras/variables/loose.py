"""Layers of files without architecture: attributes from shapes, unique names, edges by order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.keras.variables.stored import Stored, Variable
from weightbridge.model.graph import Edge, Layer
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import CONVOLUTIONS, DENSE, NORMS, RECURRENT

MakeTensor = Callable[[str, Variable, bool], Tensor]  # layer's name, variable, trainable
WITH_BIAS = CONVOLUTIONS | DENSE | RECURRENT


def stored_layers(stored: Stored, name: str, make: MakeTensor, trainable: bool = True) -> Iterator[Layer]:
    """A layer of which only the stored variables are known, and its parts."""
    for part in stored.parts:
        yield from stored_layers(part, f"{name}/{part.name}", make, trainable)
    op = CLASSES[stored.class_name].op if stored.class_name in CLASSES else "Opaque"
    tensors = tuple(make(name, v, trainable) for v in stored.variables)
    yield Layer(name, op, stored.class_name, _known_attributes(op, stored), tensors)


def unique(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers with names that occur once: a second layer of the same name gets a counter."""
    seen: dict[str, int] = {}
    found = []
    for layer in layers:
        count = seen.get(layer.name, 0)
        seen[layer.name] = count + 1
        found.append(layer if not count else _renamed(layer, f"{layer.name}~{count}"))
    return tuple(found)


def _renamed(layer: Layer, name: str) -> Layer:
    tensors = tuple(replace(t, name=f"{name}/{t.name.rsplit('/', 1)[-1]}") for t in layer.tensors)
    return replace(layer, name=name, tensors=tensors)


def chain(layers: tuple[Layer, ...]) -> tuple[Edge, ...]:
    """Edges of a graph without data flow: each layer follows the one before it."""
    return tuple(Edge(a.name, b.name) for a, b in pairwise(layers))


def _known_attributes(op: str, stored: Stored) -> dict[str, Any]:
    """What shapes alone tell, and what a Bidirectional layer runs backwards."""
    shapes = {v.role: v.dataset.shape for v in stored.variables}
    kernel = shapes.get("kernel", ())
    found: dict[str, Any] = {"use_bias": "bias" in shapes} if op in WITH_BIAS and shapes else {}
    if op in NORMS and shapes:
        found = {"scale": "gamma" in shapes, "center": "beta" in shapes}
    if op == "Conv" and kernel:
        found |= {"filters": kernel[-1], "kernel_size": kernel[:-2]}
    if op == "Dense" and kernel:
        found["units"] = kernel[-1]
    if "recurrent_kernel" in shapes:
        found["units"] = shapes["recurrent_kernel"][0]
        found |= (
            {"go_backwards": True}
            if any("backward_layer" in v.dataset.path.split("/") for v in stored.variables)
            else {}
        )
    if op == "GRU" and "bias" in shapes:
        found["reset_after"] = len(shapes["bias"]) > 1  # input and recurrent biases apart
    if "embeddings" in shapes:
        found |= dict(zip(("input_dim", "output_dim"), shapes["embeddings"], strict=False))
    return found
