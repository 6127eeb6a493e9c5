"""Runner for TFLite models by TensorFlow's interpreter, or LiteRT's: outputs, activations, logits."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weightbridge.errors import RunError, Unsupported
from weightbridge.formats.onnx.layers import Folded
from weightbridge.formats.onnx.proto import Graph
from weightbridge.formats.onnx.quantised.lower import is_added
from weightbridge.formats.onnx.running.inputs import inputs_of
from weightbridge.formats.onnx.running.last_steps import last_steps
from weightbridge.formats.onnx.running.shown import Shown
from weightbridge.formats.running import (
    ULPS,
    Change,
    Grid,
    Precision,
    Saturation,
    Shape,
    brief,
    coarsest,
    fitting,
    typed_feeds,
    weight_dtypes,
)
from weightbridge.formats.tflite.file import chosen, folded
from weightbridge.formats.tflite.lower import value_names
from weightbridge.formats.tflite.messages import Model, Subgraph
from weightbridge.formats.tflite.rounding import rounded_inputs
from weightbridge.model.tensors import Array, dtype_of

try:
    from ai_edge_litert import interpreter as interpreters
except ImportError:
    from tensorflow.lite.python import interpreter as interpreters

PLAIN = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # what is asked for is what is computed


def runner(model: Path, dtype: str = "float32") -> "TfliteRunner":
    """A runner for a file, which is checked as `read` does before the interpreter sees it.

    Raises Unsupported for float64: its kernels have one precision.
    """
    parsed, graph, found = folded(model)
    if dtype != "float32":
        fix = "Verification goes by perturbed runs instead"
        raise Unsupported("a TFLite model runs in float32 alone", where=str(model), fix=fix)
    return TfliteRunner(model, model.read_bytes(), parsed, graph, found)


class TfliteRunner:
    """A checked model, and the bytes that the interpreter is given."""

    def __init__(self, path: Path, content: bytes, parsed: Model, graph: Graph, found: Folded) -> None:
        self._path, self._content, self._parsed = path, content, parsed
        self._graph, self._found = graph, found
        self._subgraph: Subgraph = parsed.subgraphs[chosen(parsed)]
        self._place = {name: number for number, name in enumerate(value_names(self._subgraph))}
        shown = {name: value for name, value in found.shown.items() if value in self._place}
        steps = {o: step for o, step in last_steps(graph).items() if not is_added(step.value)}
        self._shown = Shown(shown, steps, str(path))
        self.inputs = inputs_of(graph, found, "float32")
        self.outputs = tuple(info.name for info in graph.outputs)
        self.layers = tuple(shown)
        self._shapes: tuple[Shape, ...] = ()
        self._interpreter = self._started()
        self._details = {told["index"]: told for told in self._interpreter.get_tensor_details()}

    @property
    def logits(self) -> Mapping[str, Saturation]:
        return self._shown.logits

    @property
    def precision(self) -> Precision:
        return Precision("float32", coarsest(self.stored.values()))

    @property
    def stored(self) -> Mapping[str, str]:
        return weight_dtypes(self._found.layers)

    @property
    def grids(self) -> Mapping[str, Grid]:
        """By layer, and by input: what its data are rounded to."""
        values = {name: name for name in (spec.name for spec in self.inputs)} | dict(self._shown.layers)
        told = {name: self._scaling(value) for name, value in values.items() if value in self._place}
        grids = {name: scaling.grid for name, scaling in told.items() if scaling is not None}
        on_the_fly = rounded_inputs(self._subgraph, value_names(self._subgraph))
        return {name: Grid(0.0) for name, value in values.items() if value in on_the_fly} | grids

    def resized(self, shapes: Sequence[Shape]) -> "TfliteRunner":
        """The same model for inputs of these shapes. RunError where it holds a shape of its own."""
        inputs = fitting(self, shapes)
        other = TfliteRunner(self._path, self._content, self._parsed, self._graph, self._found)
        other.inputs = inputs
        lengths = {spec.name: tuple(1 if n is None else n for n in spec.shape) for spec in inputs}
        zeros = {spec.name: np.zeros(lengths[spec.name], dtype_of(spec.dtype)) for spec in inputs}
        other.run(zeros)
        return other

    def with_weights(self, change: Change) -> "TfliteRunner":
        """The same model with each floating-point weight changed."""
        content = bytearray(self._content)
        for layer in self._found.layers:
            for tensor in layer.tensors:
                header = self._found.headers[tensor.key]
                if header.raw is not None and header.scaling is None and tensor.dtype in ULPS:
                    array = np.asarray(change(layer.name, tensor.load()), dtype_of(tensor.dtype))
                    content[header.raw.start : header.raw.end] = array.astype(
                        array.dtype.newbyteorder("<")
                    ).tobytes()
        other = TfliteRunner(self._path, bytes(content), self._parsed, self._graph, self._found)
        other.inputs = self.inputs
        return other

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """The outputs in their order, then `layer:<name>` or `logits:<output>` for each name in `layers`.

        Raises RunError where the model does not run on these feeds, or has no such layer.
        """
        shown, given = self._shown.by_key(layers), typed_feeds(self.inputs, feeds)
        try:
            self._feed(given)
            self._interpreter.reset_all_variables()
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            fix = "Check the names and shapes of the inputs"
            raise RunError(
                f"the interpreter cannot run it: {brief(error)}", where=str(self._path), fix=fix
            ) from error
        outputs = {name: self._array(name) for name in self.outputs}
        placed = self._shown.placed
        return outputs | {key: placed(key, self._array(value), outputs) for key, value in shown.items()}

    def _feed(self, given: Mapping[str, Array]) -> None:
        """The inputs, whose shapes may be others than before."""
        shapes = tuple(array.shape for array in given.values())
        if shapes != self._shapes:
            for name, array in given.items():
                self._interpreter.resize_tensor_input(self._place[name], array.shape)
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, array in given.items():
            scaling = self._scaling(name)
            self._interpreter.set_tensor(
                self._place[name], array if scaling is None else scaling.codes(array)
            )

    def _array(self, value: str) -> Array:
        try:
            array = np.array(self._interpreter.get_tensor(self._place[value]))
        except ValueError as error:
            raise RunError(f"{value!r} was not computed: {brief(error)}", where=str(self._path)) from error
        scaling = self._scaling(value)
        return array if scaling is None else scaling.floats(array)

    def _scaling(self, value: str) -> "_Scaling | None":
        """How codes are the floats that the graph speaks of; None for plain values."""
        told = self._details[self._place[value]]
        numbers = told["quantization_parameters"]
        scales, zeros = numbers["scales"], numbers["zero_points"]
        if not len(scales) == len(zeros) == 1:
            return None
        return _Scaling(float(scales[0]), int(zeros[0]), told["dtype"])

    def _started(self) -> Any:
        """An interpreter that keeps all values of a run."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TensorFlow's own is to be replaced by LiteRT's
                return interpreters.Interpreter(
                    model_content=self._content,
                    experimental_preserve_all_tensors=True,
                    experimental_op_resolver_type=PLAIN,
                )
        except (RuntimeError, ValueError) as error:
            fix = "Give an interpreter that knows its operators (a newer TensorFlow or ai-edge-litert)"
            raise Unsupported(
                f"the interpreter cannot load it: {brief(error)}", where=str(self._path), fix=fix
            ) from error


@dataclass(frozen=True, slots=True)
class _Scaling:
    """Floats are (code - zero) x scale."""

    scale: float
    zero: int
    dtype: Any

    @property
    def grid(self) -> Grid:
        limits = np.iinfo(self.dtype)
        low, high = ((limit - self.zero) * self.scale for limit in (limits.min, limits.max))
        return Grid(self.scale, float(low), float(high))

    def codes(self, floats: Array) -> Array:
        limits = np.iinfo(self.dtype)
        rounded = np.rint(np.asarray(floats, np.float64) / self.scale) + self.zero
        return np.asarray(np.clip(np.nan_to_num(rounded), limits.min, limits.max), self.dtype)

    def floats(self, codes: Array) -> Array:
        return np.asarray((codes.astype(np.float32) - self.zero) * np.float32(self.scale), np.float32)
