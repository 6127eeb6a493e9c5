"""A graph of TensorFlow of our own: the operations that are needed, with variables' values as constants.

The functions that loops run are made anew in the same way, from operations that only compute.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from weightbridge.errors import Unsupported
from weightbridge.errors.diagnostics import listed
from weightbridge.formats.tensorflow.graphs.bodies import LOOPS, flat_body
from weightbridge.formats.tensorflow.graphs.inline import PASSING, Flat
from weightbridge.formats.tensorflow.graphs.lower import HANDLERS, READS
from weightbridge.formats.tensorflow.graphs.messages import Operation, function_run
from weightbridge.formats.tensorflow.graphs.pure import PURE
from weightbridge.formats.tensorflow.graphs.reach import reached_from
from weightbridge.formats.tensorflow.graphs.variables import HANDLES
from weightbridge.formats.wire import Buffer
from weightbridge.model.tensors import Array

LISTS = frozenset({"TensorListReserve", "TensorListSetItem", "TensorListLength", "EmptyTensorList"})
COMPUTING = frozenset({*HANDLERS, *PASSING, *READS, *HANDLES, *LISTS, *LOOPS, *PURE, "Const", "Placeholder"})
LOOK_UP = "ResourceGather"
RESOURCE = 20
SHOWN = 3
DEPTH = 8  # loops inside each other


def refuse_more(operations: Sequence[Operation]) -> None:
    """Raises Unsupported for what may do more than compute."""
    others = sorted({operation.op for operation in operations} - COMPUTING)
    if others:
        message = f"operations that are not known to compute alone are not run: {listed(others, SHOWN)}"
        raise Unsupported(message)


class Definition:
    """graph: what runs. arrays: the values of variables, by TensorFlow's names of them."""

    def __init__(self, data: Buffer, arrays: Mapping[str, Array]) -> None:
        self.data, self.arrays = data, arrays
        self.graph: Any = tf.compat.v1.GraphDef()

    def add(self, operations: Sequence[Operation], flat: Flat) -> None:
        """Raises Unsupported."""
        types = {name: tf.as_dtype(array.dtype) for name, array in self.arrays.items()}
        self._add_all(self.graph, operations, flat, types, ())

    def _add_all(
        self,
        graph: Any,
        operations: Sequence[Operation],
        flat: Flat,
        types: Mapping[str, Any],
        above: tuple[str, ...],
    ) -> None:
        """types: of the values that stand for variables. above: the functions around it."""
        refuse_more(operations)
        for operation in operations:
            if operation.name in self.arrays and not above:
                add_constant(graph, operation.name, self.arrays[operation.name])
            elif operation.name not in flat.aliases:
                node = self._node(graph, operation, flat)
                if operation.op in LOOPS:
                    self._run_loop(node, operation, flat, types, above)

    def _node(self, graph: Any, operation: Operation, flat: Flat) -> Any:
        node = graph.node.add(name=operation.name, op=operation.op)
        node.input.extend(flat.source(value) for value in operation.inputs)
        for name, span in operation.attributes.items():
            if not name.startswith("_"):
                node.attr[name].ParseFromString(bytes(self.data[span.start : span.end]))
        if operation.op == LOOK_UP:
            _as_gather(graph, node)
        if operation.op == "Placeholder":
            _placeholder(node)
        return node

    def _run_loop(
        self, node: Any, operation: Operation, flat: Flat, types: Mapping[str, Any], above: tuple[str, ...]
    ) -> None:
        """The node, with functions of our own."""
        if operation.loop is not None:
            node.attr["T"].list.type.extend(operation.loop.types)
        kinds = [
            types.get(flat.source(value), tf.float32) if kind == RESOURCE else tf.as_dtype(kind)
            for value, kind in zip(operation.inputs, node.attr["T"].list.type, strict=True)
        ]
        node.attr["T"].list.ClearField("type")
        node.attr["T"].list.type.extend(kind.as_datatype_enum for kind in kinds)
        node.attr.pop("output_shapes", None)
        for role in ("cond", "body"):
            name = function_run(self.data, operation, role)
            node.attr[role].func.name = self._function(name, flat, kinds, above)

    def _function(self, name: str, flat: Flat, kinds: Sequence[Any], above: tuple[str, ...]) -> str:
        """The name of a function of our own that computes the same."""
        function = flat.functions.get(name)
        if function is None or name in above or len(above) >= DEPTH or len(function.arguments) != len(kinds):
            raise Unsupported(f"the function {name!r} of a loop cannot be run")
        inner, results = flat_body(function, flat, self.data)
        inner.aliases.update({o.name: o.inputs[0] for o in inner.operations if o.op in READS and o.inputs})
        sources = [inner.source(value) for value in results]
        operations = reached_from(inner, sources)
        made, own = tf.compat.v1.GraphDef(), dict(zip(function.arguments, kinds, strict=True))
        self._add_all(made, operations, inner, own, (*above, name))
        made.library.CopyFrom(self.graph.library)
        concrete = _concrete(made, function.arguments, kinds, sources)
        definition = concrete.function_def
        if definition.signature.name not in {f.signature.name for f in self.graph.library.function}:
            self.graph.library.function.append(definition)
        return str(definition.signature.name)


def _concrete(graph: Any, arguments: Sequence[str], kinds: Sequence[Any], results: Sequence[str]) -> Any:
    held = {node.name for node in graph.node}

    def run(*values: Any) -> Any:
        given = dict(zip(arguments, values, strict=True))
        wanted = [value for value in results if value not in given]
        fed = {name: value for name, value in given.items() if name in held}
        made = tf.graph_util.import_graph_def(graph, fed, list(map(tensor_name, wanted)))
        computed = given | dict(zip(wanted, made, strict=True))
        return [computed[value] for value in results]

    return tf.function(run, autograph=False).get_concrete_function(
        *(tf.TensorSpec(None, kind) for kind in kinds)
    )


def _placeholder(node: Any) -> None:
    node.attr["shape"].Clear()
    node.attr["shape"].shape.unknown_rank = True
    if not node.attr["dtype"].type:
        node.attr["dtype"].type = 1  # of a function's argument, which is replaced


def _as_gather(graph: Any, node: Any) -> None:
    """A look-up in a variable, whose value is a constant now."""
    axis = f"{node.name}/weightbridge_axis"
    add_constant(graph, axis, np.array(0, np.int32))
    kinds = {"Tparams": node.attr["dtype"].type, "Tindices": node.attr["Tindices"].type, "Taxis": 3}
    node.op = "GatherV2"
    node.ClearField("attr")
    for name, kind in kinds.items():
        node.attr[name].type = kind
    node.input.append(axis)


def add_constant(graph: Any, name: str, array: Array) -> None:
    proto = tf.make_tensor_proto(array)
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = proto.dtype
    node.attr["value"].tensor.CopyFrom(proto)


def tensor_name(value: str) -> str:
    return value if ":" in value else f"{value}:0"
