"""Runner for frozen graphs and SavedModels with data flow, by TensorFlow.

What runs is a graph of our own: the operations that the outputs need, each of them one that only computes,
with the variables' values as constants. No function of the file, no initialiser and no asset is touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from weightbridge.errors import RunError, Unsupported
from weightbridge.formats.onnx.running.inputs import inputs_of
from weightbridge.formats.onnx.running.last_steps import last_steps
from weightbridge.formats.onnx.running.shown import Shown
from weightbridge.formats.opening import placed
from weightbridge.formats.running import (
    ULPS,
    Change,
    Precision,
    Saturation,
    Shape,
    brief,
    coarsest,
    fitting,
    typed_feeds,
    weight_dtypes,
)
from weightbridge.formats.tensorflow.graphs import file as frozen
from weightbridge.formats.tensorflow.graphs.definition import Definition, refuse_more, tensor_name
from weightbridge.formats.tensorflow.graphs.inline import operation_of
from weightbridge.formats.tensorflow.graphs.read import Traced
from weightbridge.formats.tensorflow.saved_model import file as saved_model
from weightbridge.formats.tensorflow.saved_model.folder import MODEL
from weightbridge.formats.wire import Buffer
from weightbridge.model.tensors import Array, dtype_of

ORIGINAL = "Give the model that it was made from"


def runner(path: Path, dtype: str = "float32") -> "GraphRunner":
    """A runner for a file. Raises Unsupported for float64, and for what may do more than compute."""
    is_folder = path.is_dir() or path.name == MODEL
    trace, data = saved_model.opened(path) if is_folder else frozen.opened(path)
    if dtype != "float32":
        fix = "Verification goes by perturbed runs instead"
        raise Unsupported("a TensorFlow graph runs in the dtypes that it has", where=str(path), fix=fix)
    with placed(path, ORIGINAL):
        refuse_more(trace.made.operations)
        arrays = {handle: tensor.load() for handle, tensor in trace.known.items()}
        return GraphRunner(path, trace, data, arrays)


class GraphRunner:
    """arrays: the values of variables, by TensorFlow's names of them."""

    def __init__(self, path: Path, trace: Traced, data: Buffer, arrays: Mapping[str, Array]) -> None:
        self._path, self._trace, self._data, self._arrays = path, trace, data, arrays
        graph, found = trace.made.graph, trace.found
        self.inputs = inputs_of(graph, found)
        self.outputs = tuple(info.name for info in graph.outputs)
        shown = {name: self._source(value) for name, value in found.shown.items()}
        steps = {o: replace(step, value=self._source(step.value)) for o, step in last_steps(graph).items()}
        made = {operation.name for operation in trace.made.operations}
        self._shown = Shown(
            layers={name: value for name, value in shown.items() if operation_of(value) in made},
            steps={o: step for o, step in steps.items() if operation_of(step.value) in made},
            where=str(path),
        )
        self.layers = tuple(self._shown.layers)
        self._session = self._started()

    @property
    def logits(self) -> Mapping[str, Saturation]:
        return self._shown.logits

    @property
    def precision(self) -> Precision:
        return Precision("float32", coarsest(self.stored.values()))

    @property
    def stored(self) -> Mapping[str, str]:
        return weight_dtypes(self._trace.found.layers)

    def resized(self, shapes: Sequence[Shape]) -> "GraphRunner":
        other = GraphRunner(self._path, self._trace, self._data, self._arrays)
        other.inputs = fitting(self, shapes)
        return other

    def with_weights(self, change: Change) -> "GraphRunner":
        """The same graph with each floating-point weight changed."""
        arrays = dict(self._arrays)
        values = self._trace.made.values
        for layer in self._trace.found.layers:
            for tensor in (t for t in layer.tensors if t.dtype in ULPS):
                value = values.get(tensor.name, tensor.name)
                arrays[value] = np.asarray(change(layer.name, tensor.load()), dtype_of(tensor.dtype))
        other = GraphRunner(self._path, self._trace, self._data, arrays)
        other.inputs = self.inputs
        return other

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """The outputs in their order, then `layer:<name>` or `logits:<output>` for each name in `layers`."""
        wanted = {name: self._source(name) for name in self.outputs} | self._shown.by_key(layers)
        typed = typed_feeds(self.inputs, feeds)
        fed = {tensor_name(self._source(name)): array for name, array in typed.items()}
        try:
            arrays = self._session.run([tensor_name(value) for value in wanted.values()], fed)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            fix = "Check the names and shapes of the inputs"
            raise RunError(
                f"TensorFlow cannot run it: {brief(error)}", where=str(self._path), fix=fix
            ) from error
        values = dict(zip(wanted, map(np.asarray, arrays), strict=True))
        return {key: self._shown.placed(key, array, values) for key, array in values.items()}

    def _source(self, value: str) -> str:
        """TensorFlow's name of a value."""
        return self._trace.flat.source(self._trace.made.values.get(value, value))

    def _started(self) -> Any:
        graph = tf.Graph()
        try:
            with graph.as_default():
                definition = Definition(self._data, self._arrays)
                definition.add(self._trace.made.operations, self._trace.flat)
                tf.import_graph_def(definition.graph, name="")
            return tf.compat.v1.Session(graph=graph, config=_as_written())
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise Unsupported(
                f"TensorFlow cannot load it: {brief(error)}", where=str(self._path), fix=ORIGINAL
            ) from error


def _as_written() -> Any:
    """TensorFlow's optimiser takes an exact GELU for one by tanh: the graph is run without it."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config
