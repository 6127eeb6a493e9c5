"""An inlined graph of TensorFlow -> a graph of ONNX's operators, as far as its outputs need it.

What ONNX has no operator for keeps TensorFlow's name, and becomes a layer of unknown class with its tensors.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from weightbridge.errors import Corrupt
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader, ValueInfo
from weightbridge.formats.onnx.tensors import STRING
from weightbridge.formats.onnx.values.evaluate import evaluate, is_small
from weightbridge.formats.onnx.values.views import view_of
from weightbridge.formats.tensorflow.chance import without_chance
from weightbridge.formats.tensorflow.dilations import with_dilations
from weightbridge.formats.tensorflow.graphs.bodies import LOOPS, flat_body
from weightbridge.formats.tensorflow.graphs.call import Call, Handler
from weightbridge.formats.tensorflow.graphs.folding import with_folded
from weightbridge.formats.tensorflow.graphs.inline import Flat, output
from weightbridge.formats.tensorflow.graphs.lowered import Load, Lowered, Sides
from weightbridge.formats.tensorflow.graphs.messages import (
    Attributes,
    Operation,
    Shape,
    constant_span,
    function_run,
)
from weightbridge.formats.tensorflow.graphs.nodes import plain, weighted
from weightbridge.formats.tensorflow.graphs.reach import outputs_read, reached_from
from weightbridge.formats.tensorflow.graphs.types import NUMBERS, TYPES
from weightbridge.formats.tensorflow.grouping import with_groups
from weightbridge.formats.tensorflow.loops.rewrite import with_cells
from weightbridge.formats.tensorflow.negations import with_negated_products
from weightbridge.formats.tensorflow.row_products import with_row_products
from weightbridge.formats.tensorflow.saved_model.constants import Constant, constant_tensor, dtype_of_constant
from weightbridge.formats.tensorflow.sums import with_matrix_products
from weightbridge.formats.wire import Buffer, Span
from weightbridge.model.tensors import Array, Tensor

HANDLERS: Mapping[str, Handler] = {**weighted.HANDLERS, **plain.HANDLERS}
REPEATED = "NextIteration"  # in loops of TensorFlow 1, which are cycles: it is not followed
DOMAIN = "tensorflow"  # of the operations that ONNX does not have
READS = frozenset({"ReadVariableOp", "PlaceholderWithDefault"})  # that give what their input is
COUNTS = {"Split": "num_split", "SplitV": "num_split", "Unpack": "num"}  # attributes: how many outputs
DEPTH = 16  # loops inside each other
LONGEST = 1 << 16  # elements of a vector that is looked at


def lowered(
    flat: Flat,
    data: Buffer,
    path: Path,
    sides: Sides,
    variables: Mapping[str, Tensor],
    bodies: dict[str, Lowered | None] | None = None,
) -> Lowered:
    """variables: by the value of each, its tensor. bodies: of loops, as far as known. Raises a ModelError."""
    lowering = _Lowering(flat, data, path, sides, variables)
    if bodies is not None:
        lowering.bodies, lowering.is_body = bodies, True
    return lowering.whole()


class _Lowering:
    def __init__(
        self, flat: Flat, data: Buffer, path: Path, sides: Sides, variables: Mapping[str, Tensor]
    ) -> None:
        self.flat, self.data, self.path, self.sides, self.variables = flat, data, path, sides, variables
        self.bodies: dict[str, Lowered | None] = {}
        self.is_body = False
        self.by_name = flat.by_name
        self.known: dict[str, Array] = {}  # small numbers that the graph computes
        self.renamed = {flat.source(value): name for name, value in sides.inputs}
        self.inputs = frozenset(self.renamed)
        self._alias_reads()
        self.headers: dict[str, TensorHeader] = {}  # by value
        self.named: dict[str, TensorHeader] = {}
        self.spans: dict[Span, TensorHeader] = {}
        self.loads: dict[Span, Load] = {}
        self.shapes: dict[str, Shape] = {}
        self.seen: set[str] = set()  # values that are tensors of the file, or views of one

    def _alias_reads(self) -> None:
        for operation in self.flat.operations:
            if operation.op in READS and operation.inputs and operation.name not in self.renamed:
                self.flat.aliases[operation.name] = operation.inputs[0]

    def whole(self) -> Lowered:
        wanted = [value for _, value in self.sides.outputs]
        reached = reached_from(self.flat, wanted, self.renamed)
        for operation in reached:
            self._note(operation)
        self._name_outputs()
        counts = outputs_read(self.flat, wanted, reached)
        nodes: list[Node] = []
        for operation in reached:
            made = self._nodes(operation, counts)
            nodes += made
            self._learn(made)
        outputs = [self._value(value) for _, value in self.sides.outputs]
        nodes = without_chance(nodes, outputs, self.numbers)
        if not self.is_body:
            nodes = self._simplified(nodes, outputs)
        dilated = with_dilations(nodes, outputs, self.numbers, self.are_zeros)
        graph = Graph(
            name="",
            nodes=tuple(with_row_products(dilated, outputs, self.shapes)),
            initializers=tuple(self.named.values()),
            inputs=tuple(self._input(name, value) for name, value in self.sides.inputs),
            outputs=tuple(
                ValueInfo(value, 0, self.shapes.get(value))
                for value in (outputs if self.is_body else dict.fromkeys(outputs))
            ),
            value_infos=tuple(ValueInfo(value, 0, shape) for value, shape in self.shapes.items()),
        )
        values = {name: value for value, name in self.renamed.items()}
        graph = graph if self.is_body else with_groups(graph, lambda header: self.loads[header.span]())
        return Lowered(graph, self.loads, tuple(reached), values)

    def _simplified(self, nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
        """Cells for loops, tensors for what follows from others alone."""

        def read(header: TensorHeader) -> Array:
            return self.loads[header.span]()

        nodes = with_cells(nodes, outputs, self.named, self.shapes, read)
        nodes = with_negated_products(with_folded(nodes, self.named, self.loads), self.named)
        return with_matrix_products(nodes, self.named)

    def _body(self, operation: Operation) -> dict[str, Graph]:
        """The graph that a loop runs, read once for all loops that run it."""
        name = function_run(self.data, operation, "body")
        open_bodies = sum(body is None for body in self.bodies.values())
        if name not in self.bodies and open_bodies < DEPTH:
            self.bodies[name] = None  # for a body that runs itself
            self.bodies[name] = self._lowered_body(name)
        body = self.bodies.get(name)
        if body is None:
            return {}
        self.loads |= body.loads
        return {"body": body.graph}

    def _lowered_body(self, name: str) -> Lowered | None:
        function = self.flat.functions.get(name)
        if function is None:
            return None
        flat, results = flat_body(function, self.flat, self.data)
        sides = Sides(tuple((a, a) for a in function.arguments), tuple(("", r) for r in results))
        return lowered(flat, self.data, self.path, sides, {}, self.bodies)

    def _note(self, operation: Operation) -> None:
        """The tensor that an operation is, and the shape that it states."""
        told, span = Attributes(self.data, operation.attributes), constant_span(self.data, operation)
        if operation.name in self.variables:
            self._keep(operation.name, self.variables[operation.name], Span(-1 - len(self.headers), -1))
        elif span is not None:
            self._constant(operation.name, span)
        shape = told.shape("_output_shapes") or told.shape("shape")
        if shape is not None and operation.op not in ("VarHandleOp", "Const"):
            self.shapes.setdefault(self._value(operation.name), shape)

    def _constant(self, name: str, span: Span) -> None:
        """A function that is called twice has its constants once."""
        first = self.spans.get(span)
        constant = Constant(name, span)
        if first is not None:
            self.headers[name] = first
            self.renamed[name] = first.name
        elif dtype_of_constant(self.data, constant) in NUMBERS:
            self._keep(name, constant_tensor(self.path, self.data, constant, ""), span)
        else:
            self.headers[name] = self.named[name] = TensorHeader(name, (), STRING, span)

    def _keep(self, value: str, tensor: Tensor, span: Span) -> None:
        header = TensorHeader(tensor.name, tensor.shape, NUMBERS.get(tensor.dtype, 0), span, span)
        self.headers[value] = self.named[tensor.name] = header
        self.spans[span] = header
        self.loads[span] = tensor.load
        self.renamed[value] = tensor.name
        self.shapes[tensor.name] = tensor.shape
        self.seen.add(tensor.name)

    def _name_outputs(self) -> None:
        """Outputs are called as users call them, where the name is free."""
        taken = {*self.by_name, *self.renamed.values()}
        for name, value in self.sides.outputs:
            source = self.flat.source(value)
            if name and name not in taken and source not in self.renamed:
                self.renamed[source] = name
                taken.add(name)
                if source in self.shapes:
                    self.shapes[name] = self.shapes.pop(source)

    def _value(self, value: str) -> str:
        source = self.flat.source(value)
        return self.renamed.get(source, source)

    def _input(self, name: str, value: str) -> ValueInfo:
        operation = self.by_name.get(self.flat.source(value))
        if operation is None:
            raise Corrupt(f"the input {name!r} is {value!r}, which is not in the graph")
        told = Attributes(self.data, operation.attributes)
        return ValueInfo(name, TYPES.get(told.integer("dtype"), 0), self.shapes.get(name))

    def numbers(self, value: str) -> Array | None:
        header = self._header(value)
        if header is None or not is_small(header):
            return self.known.get(value)
        if value not in self.known:
            self.known[value] = self.loads[header.span]()
        return self.known[value]

    def _learn(self, nodes: Sequence[Node]) -> None:
        """Notes the numbers that follow from small constants: orders and shapes put together."""
        for node in nodes:
            numbers = {value: number for value in node.inputs if (number := self.numbers(value)) is not None}
            result = evaluate(node, numbers, _unread)
            if result is not None and node.outputs:
                self.known[node.outputs[0]] = result
            self._learn_view(node)

    def _learn_view(self, node: Node) -> None:
        """Notes the shape of a tensor that is seen with other axes: a kernel with one more."""
        value = node.inputs[0] if node.inputs else ""
        shape = self.shapes.get(value)
        if value not in self.seen or shape is None or None in shape:
            return
        view = view_of(node, tuple(n or 0 for n in shape), self.known)
        if view is not None and view.shape is not None:
            self.seen.add(node.outputs[0])
            self.shapes.setdefault(node.outputs[0], view.shape)

    def are_zeros(self, value: str) -> bool:
        header = self._header(value)
        is_vector = header is not None and len(header.dims) == 1 and header.dims[0] <= LONGEST
        return header is not None and is_vector and not self.loads[header.span]().any()

    def _header(self, value: str) -> TensorHeader | None:
        header = self.named.get(value)
        return header if header is not None and header.span in self.loads else None

    def _nodes(self, operation: Operation, counts: Mapping[str, int]) -> list[Node]:
        name = operation.name
        if name in self.headers or name in self.flat.aliases or name in self.inputs:
            return []
        attributes = Attributes(self.data, operation.attributes)
        count = max(attributes.integer(COUNTS.get(operation.op, ""), 1), counts.get(name, 1))
        outputs = tuple(self._value(output(name, place)) for place in range(count))
        read = () if operation.op == REPEATED else operation.inputs
        inputs = tuple(self._value(value) for value in read)
        call = Call(operation.op, inputs, outputs, attributes, self.shapes, self.numbers)
        handler = HANDLERS.get(operation.op)
        nodes = handler(call) if handler and inputs else None
        inner = self._body(operation) if operation.op in LOOPS else {}
        return [Node(name, operation.op, DOMAIN, inputs, outputs, inner)] if nodes is None else nodes


def _unread(header: TensorHeader) -> Array:
    raise AssertionError(f"{header.name} is no attribute")
