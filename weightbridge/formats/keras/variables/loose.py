"""Layers of files without architecture: attributes from shapes, unique names, edges by order."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from weightbridge.formats.keras.architecture.attributes import cudnn_layout
from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.keras.variables.stored import Stored, Variable
from weightbridge.model.graph import Edge, Layer
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import CONVOLUTIONS, DENSE, NORMS, RECURRENT

MakeTensor = Callable[[str, Variable, bool], Tensor]  # layer's name, variable, trainable
Shapes = Mapping[str, tuple[int, ...]]  # by role
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
    counts: dict[str, int] = {}
    renamed = []
    for layer in layers:
        count = counts.get(layer.name, 0)
        counts[layer.name] = count + 1
        renamed.append(_renamed(layer, f"{layer.name}~{count}") if count else layer)
    return tuple(renamed)


def _renamed(layer: Layer, name: str) -> Layer:
    tensors = []
    for tensor in layer.tensors:
        last = tensor.name.rsplit("/", 1)[-1]
        tensors.append(replace(tensor, name=f"{name}/{last}"))
    return replace(layer, name=name, tensors=tuple(tensors))


def chain(layers: tuple[Layer, ...]) -> tuple[Edge, ...]:
    """Edges of a graph without data flow: each layer follows the one before it."""
    names = [layer.name for layer in layers]
    return tuple(Edge(name, after) for name, after in pairwise(names))


def _known_attributes(op: str, stored: Stored) -> dict[str, Any]:
    """What shapes alone tell, and what a Bidirectional layer runs backwards."""
    shapes = {variable.role: variable.dataset.shape for variable in stored.variables}
    attributes = _switches(op, shapes) | _sizes(op, shapes)
    if "recurrent_kernel" in shapes and _is_backward(stored):
        attributes["go_backwards"] = True
    if op == "GRU" and "bias" in shapes:
        attributes["reset_after"] = len(shapes["bias"]) > 1  # input and recurrent biases apart
    if stored.class_name.startswith("CuDNN"):
        attributes |= cudnn_layout(stored.class_name)
    return attributes


def _switches(op: str, shapes: Shapes) -> dict[str, Any]:
    """Which optional variables are there."""
    if op in NORMS and shapes:
        return {"scale": "gamma" in shapes, "center": "beta" in shapes}
    return {"use_bias": "bias" in shapes} if op in WITH_BIAS and shapes else {}


def _sizes(op: str, shapes: Shapes) -> dict[str, Any]:
    kernel = shapes.get("kernel", ())
    sizes: dict[str, Any] = {}
    if op == "Conv" and kernel:
        sizes = {"filters": kernel[-1], "kernel_size": kernel[:-2]}
    if op == "Dense" and kernel:
        sizes["units"] = kernel[-1]
    if shapes.get("recurrent_kernel"):
        sizes["units"] = shapes["recurrent_kernel"][0]
    if "embeddings" in shapes:
        sizes |= dict(zip(("input_dim", "output_dim"), shapes["embeddings"], strict=False))
    return sizes


def _is_backward(stored: Stored) -> bool:
    """Whether this is what a Bidirectional layer runs backwards, whatever its name."""
    paths = [variable.dataset.path.split("/") for variable in stored.variables]
    return any("backward_layer" in path for path in paths)
