"""Runner for frozen graphs and SavedModels with data flow, by TensorFlow.

What runs is a graph of our own: the operations that the outputs need, each of them one that only computes,
with the variables' values as constants. No function of the file, no initialiser and no asset is touched.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from weightbridge.errors import RunError, Unsupported
from weightbridge.errors.diagnostics import listed
from weightbridge.formats.onnx.running.inputs import inputs_of
from weightbridge.formats.onnx.running.last_steps import last_steps
from weightbridge.formats.onnx.running.shown import Shown
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
from weightbridge.formats.tensorflow.graphs.inline import PASSING, operation_of
from weightbridge.formats.tensorflow.graphs.lower import HANDLERS, READS
from weightbridge.formats.tensorflow.graphs.messages import Operation
from weightbridge.formats.tensorflow.graphs.read import Traced
from weightbridge.formats.tensorflow.graphs.variables import HANDLES
from weightbridge.formats.tensorflow.saved_model import file as saved_model
from weightbridge.formats.tensorflow.saved_model.folder import MODEL
from weightbridge.formats.wire import Buffer
from weightbridge.model.tensors import Array, dtype_of

COMPUTING = frozenset({*HANDLERS, *PASSING, *READS, *HANDLES, "Const", "Placeholder"})
LOOK_UP = "ResourceGather"
SHOWN = 3


def runner(path: Path, dtype: str = "float32") -> "GraphRunner":
    """A runner for a file. Raises Unsupported for float64, and for what may do more than compute."""
    is_folder = path.is_dir() or path.name == MODEL
    trace, data = saved_model.opened(path) if is_folder else frozen.opened(path)
    if dtype != "float32":
        fix = "Verification goes by perturbed runs instead"
        raise Unsupported("a TensorFlow graph runs in the dtypes that it has", where=str(path), fix=fix)
    others = sorted({o.op for o in trace.made.operations} - COMPUTING)
    if others:
        message = f"operations that are not known to compute alone are not run: {listed(others, SHOWN)}"
        raise Unsupported(message, where=str(path), fix="Give the model that it was made from")
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
        steps = {o: (self._source(value), kind) for o, (value, kind) in last_steps(graph).items()}
        made = {operation.name for operation in trace.made.operations}
        self._shown = Shown(
            layers={name: value for name, value in shown.items() if operation_of(value) in made},
            steps={o: step for o, step in steps.items() if operation_of(step[0]) in made},
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
        fed = {_tensor(self._source(name)): array for name, array in typed.items()}
        try:
            arrays = self._session.run([_tensor(value) for value in wanted.values()], fed)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            fix = "Check the names and shapes of the inputs"
            raise RunError(
                f"TensorFlow cannot run it: {brief(error)}", where=str(self._path), fix=fix
            ) from error
        return dict(zip(wanted, map(np.asarray, arrays), strict=True))

    def _source(self, value: str) -> str:
        """TensorFlow's name of a value."""
        return self._trace.flat.source(self._trace.made.values.get(value, value))

    def _started(self) -> Any:
        graph = tf.Graph()
        try:
            with graph.as_default():
                tf.import_graph_def(self._definition(), name="")
            return tf.compat.v1.Session(graph=graph)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            fix = "Give the model that it was made from"
            raise Unsupported(
                f"TensorFlow cannot load it: {brief(error)}", where=str(self._path), fix=fix
            ) from error

    def _definition(self) -> Any:
        """The graph that runs."""
        made = tf.compat.v1.GraphDef()
        for operation in self._trace.made.operations:
            if operation.name in self._arrays:
                _add_constant(made, operation.name, self._arrays[operation.name])
            elif operation.name not in self._trace.flat.aliases:
                self._add(made, operation)
        return made

    def _add(self, made: Any, operation: Operation) -> None:
        node = made.node.add(name=operation.name, op=operation.op)
        node.input.extend(self._trace.flat.source(value) for value in operation.inputs)
        for name, span in operation.attributes.items():
            if not name.startswith("_"):
                node.attr[name].ParseFromString(bytes(self._data[span.start : span.end]))
        if operation.op == "Placeholder":
            node.attr["shape"].Clear()
            node.attr["shape"].shape.unknown_rank = True
        if operation.op == LOOK_UP:
            _as_gather(made, node)


def _as_gather(made: Any, node: Any) -> None:
    """A look-up in a variable, whose value is a constant now."""
    axis = f"{node.name}/weightbridge_axis"
    _add_constant(made, axis, np.array(0, np.int32))
    kinds = {"Tparams": node.attr["dtype"].type, "Tindices": node.attr["Tindices"].type, "Taxis": 3}
    node.op = "GatherV2"
    node.ClearField("attr")
    for name, kind in kinds.items():
        node.attr[name].type = kind
    node.input.append(axis)


def _add_constant(made: Any, name: str, array: Array) -> None:
    proto = tf.make_tensor_proto(array)
    node = made.node.add(name=name, op="Const")
    node.attr["dtype"].type = proto.dtype
    node.attr["value"].tensor.CopyFrom(proto)


def _tensor(value: str) -> str:
    return value if ":" in value else f"{value}:0"
