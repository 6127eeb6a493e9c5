"""Runner for ONNX models by onnxruntime: outputs, activations of named layers, logits, float64."""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from weightbridge.errors import RunError, Unsupported, UsageError
from weightbridge.formats.onnx.file import folded
from weightbridge.formats.onnx.layers import Folded
from weightbridge.formats.onnx.proto import Model
from weightbridge.formats.onnx.running.alone import part_of
from weightbridge.formats.onnx.running.change import changed, precision_of, reshaped
from weightbridge.formats.onnx.running.inputs import inputs_of
from weightbridge.formats.onnx.running.last_steps import last_steps
from weightbridge.formats.onnx.running.sessions import Session, double_session, session
from weightbridge.formats.onnx.running.shown import Shown
from weightbridge.formats.onnx.running.spelled_out import spelled_out
from weightbridge.formats.onnx.running.weights import Weights, parted
from weightbridge.formats.running import (
    Change,
    Precision,
    Saturation,
    Shape,
    fitting,
    key_of,
    typed_feeds,
    weight_dtypes,
)
from weightbridge.model.tensors import Array, as_numbers
from weightbridge.model.vocabulary import SINGLE_KERNEL_CONVOLUTIONS

KEPT = 2  # sessions, each with a copy of all weights
TOO_MANY = 1_000_000_000  # products per item; onnx's reference takes a minute for them


def runner(model: Path, dtype: str = "float32") -> "OnnxRunner":
    """A runner for a file. `float64` runs the same graph in that precision.

    Raises Unsupported where that is not possible. The file is checked as `read` does before onnxruntime sees
    it: raises a ModelError where it is not to be trusted.
    """
    parsed, layers = folded(model)
    if dtype not in ("float32", "float64"):
        raise UsageError(f"a model runs in float32 or float64, not in {dtype}", where=str(model))
    is_double = dtype == "float64"
    if is_double and (work := products(layers)) > TOO_MANY:
        message = f"{work} products per item are too many for a float64 run without kernels"
        raise Unsupported(message, where=str(model), fix="Verification goes by perturbed runs instead")
    proto, weights = parted(model, parsed)
    return OnnxRunner(model, (spelled_out(proto), weights), parsed, layers, dtype)


def products(layers: Folded) -> int:
    """How many products the convolutions of one item take, as far as shapes are known."""
    total = 0
    for layer in layers.layers:
        kernel, shape = layer.tensor("kernel"), layer.output_shape
        if layer.op in SINGLE_KERNEL_CONVOLUTIONS and shape and kernel:
            total += prod(n or 1 for n in shape) * prod(kernel.shape[1:])
    return total


class OnnxRunner:
    """A checked model. A session is made for each set of values that is asked for, and the last are kept."""

    def __init__(
        self, path: Path, graph: tuple[Any, Weights], parsed: Model, found: Folded, dtype: str
    ) -> None:
        self._path, self._found, self._dtype = path, found, dtype
        self._proto, self._weights = graph
        self._parsed = parsed
        self._threads = 0
        self._sessions: dict[tuple[str, ...], Session] = {}
        self._parts: dict[str, tuple[str, ...]] = {}
        self._shown = Shown(found.shown, last_steps(parsed.graph), str(path))
        self.outputs = tuple(o.name for o in parsed.graph.outputs)
        self.inputs = inputs_of(parsed.graph, found, dtype)
        self.layers = tuple(found.shown)
        self._session(())

    @property
    def logits(self) -> Mapping[str, Saturation]:
        return self._shown.logits

    @property
    def precision(self) -> Precision:
        return precision_of(self._proto) if self._dtype == "float32" else Precision("float64", "float64")

    @property
    def stored(self) -> Mapping[str, str]:
        return weight_dtypes(self._found.layers)

    def resized(self, shapes: Sequence[Shape]) -> "OnnxRunner":
        """The same graph for inputs of these shapes. RunError where it holds a shape of its own."""
        inputs = fitting(self, shapes)
        proto = reshaped(self._proto, {spec.name: spec.shape for spec in inputs})
        try:
            graph = proto, self._weights
            other = OnnxRunner(self._path, graph, self._parsed, self._found, self._dtype)
        except Unsupported as error:
            raise RunError(error.message, where=error.where, fix=error.fix) from error
        other.inputs = inputs
        return other

    def with_weights(self, change: Change) -> "OnnxRunner":
        """The same graph with each floating-point weight changed."""
        owners = {tensor.key: layer.name for layer in self._found.layers for tensor in layer.tensors}
        proto, values = changed(self._proto, self._weights, change, owners)
        weights: Weights = {name: partial(np.asarray, array) for name, array in values.items()}
        graph = proto, {**self._weights, **weights}
        other = OnnxRunner(self._path, graph, self._parsed, self._found, self._dtype)
        other.inputs = self.inputs
        return other

    def rearranged(self) -> "OnnxRunner":
        """By a single thread: where the work of several meets, kernels round otherwise than elsewhere."""
        other = copy(self)
        other._threads, other._sessions = 1, {}
        return other

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """The outputs in their order, then `layer:<name>` or `logits:<output>` for each name in `layers`.

        Raises RunError where the model does not run on these feeds, or has no such layer.
        """
        shown, inputs = self._shown.by_key(layers), typed_feeds(self.inputs, feeds)
        extra = tuple(sorted(set(shown.values()) - set(self.outputs) - inputs.keys()))
        names = (*self.outputs, *extra)
        arrays = self._session(extra)(names, inputs)
        values = {**inputs, **dict(zip(names, map(as_numbers, arrays), strict=True))}
        outputs = {name: values[name] for name in self.outputs}
        placed = self._shown.placed
        return outputs | {key: placed(key, values[value], outputs) for key, value in shown.items()}

    def given(self, feeds: Mapping[str, Array], layers: Sequence[str]) -> dict[str, tuple[Array, ...]]:
        """The values that the layers before each of these give; without a layer that reads none."""
        read = {name: self._read_by(name) for name in layers if name in self._found.shown}
        read = {name: names for name, names in read.items() if names}
        shown = self.run(feeds, tuple(dict.fromkeys(chain.from_iterable(read.values()))))
        self._parts |= {name: tuple(map(self._shown.value, names)) for name, names in read.items()}
        return {name: tuple(shown[key_of(n)] for n in names) for name, names in read.items()}

    def alone(self, layer: str, arrays: Sequence[Array]) -> Array:
        """The value that shows a layer, of these values before it. RunError where it reads more."""
        where, names = str(self._path), self._parts.get(layer, ())
        if len(names) != len(arrays) or not names:
            raise RunError(f"layer {layer!r} takes other inputs than {len(arrays)}", where=where)
        inputs, output = dict(zip(names, arrays, strict=True)), self._found.shown[layer]
        part = part_of(self._proto, inputs, output, where)
        try:
            read = {info.name for info in part.graph.input}
            fed = {name: array for name, array in inputs.items() if name in read}
            return as_numbers(self._made(part)((output,), fed)[0])
        except Unsupported as error:
            raise RunError(error.message, where=error.where, fix=error.fix) from error

    def _read_by(self, layer: str) -> tuple[str, ...]:
        """The layers before one, each once, in the order of its inputs."""
        edges = sorted((edge for edge in self._found.edges if edge.target == layer), key=lambda e: e.position)
        before = dict.fromkeys(edge.source for edge in edges)
        return tuple(name for name in before if name in self._found.shown)

    def _session(self, extra: tuple[str, ...]) -> Session:
        """A session whose graph also gives these values."""
        if extra not in self._sessions:
            for oldest in [*self._sessions][: len(self._sessions) - KEPT + 1]:
                del self._sessions[oldest]
            proto = type(self._proto)()
            proto.CopyFrom(self._proto)
            proto.graph.output.extend(onnx.ValueInfoProto(name=value) for value in extra)
            self._sessions[extra] = self._made(proto)
        return self._sessions[extra]

    def _made(self, proto: Any) -> Session:
        if self._dtype == "float64":
            return double_session(proto, self._path, self._weights)
        return session(proto, self._path, self._threads, self._weights)
