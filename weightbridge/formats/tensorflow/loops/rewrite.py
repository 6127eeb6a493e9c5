"""Loops whose bodies are recurrent cells -> one recurrent node each, with the weights that the body reads."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace

import numpy as np

from weightbridge.formats.onnx.cells.told import SECOND_BIAS
from weightbridge.formats.onnx.proto import TOLD, Graph, Node, TensorHeader
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.tensorflow.flow import Flow
from weightbridge.formats.tensorflow.loops.body import Body, Read, are_whole, outer_of
from weightbridge.formats.tensorflow.loops.cells import Cell, cell_of, hidden_of
from weightbridge.formats.tensorflow.loops.fused import FUSED, fused_cell
from weightbridge.formats.tensorflow.loops.outside import Outside
from weightbridge.formats.tensorflow.loops.tidy import tidied
from weightbridge.formats.tensorflow.loops.trial import Part, Trial, UnknownStep, shape_in
from weightbridge.formats.tensorflow.values import Shape

LOOPS = frozenset({"While", "StatelessWhile", "WHILE"})
SEED = 5
MOST_STATES = 8  # that are multiplied with a weight


def with_cells(
    nodes: Sequence[Node],
    outputs: Sequence[str],
    tensors: MutableMapping[str, TensorHeader],
    shapes: Mapping[str, Shape | None],
    read: Read,
) -> list[Node]:
    """What is none of Keras's cells stays a loop."""
    if not any(node.op in LOOPS | FUSED for node in nodes) or not are_whole(nodes):
        return list(nodes)
    outside = Outside(Flow(nodes, outputs), tensors, shapes, read)
    left = tidied([part for node in nodes for part in _written(node, outside)], outputs)
    _leave_out_zeros(nodes, left, outside)
    return left


def _leave_out_zeros(nodes: Sequence[Node], left: Sequence[Node], outside: Outside) -> None:
    """What steps are written over, and first states, are no tensors of the model: nothing reads them now."""
    read = {value for node in left for value in node.inputs} | outside.flow.outputs
    for value in (value for node in nodes if node.op in LOOPS for value in node.inputs):
        stored = outside.stored(value)
        if stored not in read and outside.is_zero(stored):
            outside.tensors.pop(stored, None)


def _written(node: Node, outside: Outside) -> list[Node]:
    if node.op in FUSED:
        return fused_cell(node, outside) or [node]
    graph = node.attributes.get("body")
    if node.op not in LOOPS or not isinstance(graph, Graph) or not are_whole(graph.nodes):
        return [node]
    body = Body(graph, node.inputs, outside.read)
    if len(body.arguments) != len(body.results) or len(node.inputs) != len(body.arguments):
        return [node]
    cell = _cell(body, outside)
    made = None if cell is None else _Loop(node, body, cell, outside).nodes()
    return [node] if made is None else made


def _cell(body: Body, outside: Outside) -> Cell | None:
    """The cell that a body is, whichever of its states is the hidden one."""
    shapes = outside.shape_of
    for hidden, factor in list(dict(hidden_of(body)).items())[:MOST_STATES]:
        for is_turned in (False, True):
            try:
                part = Trial(body, shapes, 0, np.random.default_rng(SEED)).part(factor, is_turned=is_turned)
            except UnknownStep:
                continue
            found = cell_of(Trial(body, shapes, part.depth, np.random.default_rng(SEED)), hidden)
            if found is not None:
                return found
    return None


class _Loop:
    def __init__(self, node: Node, body: Body, cell: Cell, outside: Outside) -> None:
        self.node, self.body, self.cell, self.outside = node, body, cell, outside
        self.before: list[Node] = []

    def nodes(self) -> list[Node] | None:
        """None where something else is read of the loop, or its weights are not whole."""
        behind = self._behind()
        kernel = self._weight(self.cell.kernel, "kernel")
        recurrent = self._weight(self.cell.recurrent, "recurrent_kernel")
        biases = self._biases()
        if behind is None or kernel is None or recurrent is None or biases is None:
            return None
        sequence = outer_of(self.body, self.cell.sequence)
        inputs = [sequence, kernel, recurrent, *biases[:1], "", *self._states()]
        inputs += [""] * (SECOND_BIAS - len(inputs)) + list(biases[1:])
        outputs = tuple(self._name(label) for label in ("steps", "hidden", "cell"))
        found = {TOLD: self.cell.told}
        made = Node(self.node.name, self.cell.op, "", tuple(inputs), outputs, found)
        return [*self.before, made, *behind]

    def _name(self, label: str) -> str:
        return f"{self.node.outputs[0]}{ADDED}{label}"

    def _behind(self) -> list[Node] | None:
        """What gives the values that are read of the loop."""
        made = []
        for place, output in enumerate(self.node.outputs):
            if output not in self.outside.flow.readers and output not in self.outside.flow.outputs:
                continue
            step = self._given(place, output)
            if step is None:
                return None
            made.append(step)
        return made

    def _given(self, place: int, output: str) -> Node | None:
        body, cell = self.body, self.cell
        states = {body.results[cell.hidden]: "hidden"}
        if cell.cell is not None:
            states[body.results[cell.cell]] = "cell"
        if body.arguments[place] in body.fixed:
            return Node("", "Identity", "", (self.node.inputs[place],), (output,), {})
        if body.written.get(place) == body.results[cell.hidden]:
            return Node("", "Identity", "", (self._name("steps"),), (output,), {})
        alone = states.get(body.alone.get(place, ""))
        if alone is not None:
            return Node("", "Unsqueeze", "", (self._name(alone),), (output,), {"axes": (0,)})
        state = states.get(body.results[place])
        return None if state is None else Node("", "Identity", "", (self._name(state),), (output,), {})

    def _states(self) -> Iterator[str]:
        """The states at first, "" for zeros."""
        for place in (self.cell.hidden, self.cell.cell):
            value = "" if place is None else self.node.inputs[place]
            yield "" if self.outside.is_zero(value) else value

    def _weight(self, parts: tuple[Part, ...], label: str) -> str | None:
        """The value of a weight as (in, gates); None where its parts are not whole tensors."""
        leaves = list(dict.fromkeys(part.leaf for part in parts))
        turned = {part.is_turned for part in parts}
        if len(turned) != 1 or not all(self._is_whole(leaf, parts) for leaf in leaves):
            return None
        is_turned = turned.pop()
        value = self._value(leaves, 0 if is_turned else 1, label)
        if value is None or not is_turned:
            return value
        order = {"perm": (1, 0)}
        self.before.append(Node("", "Transpose", "", (value,), (self._name(label),), order))
        return self._name(label)

    def _is_whole(self, leaf: str, parts: tuple[Part, ...]) -> bool:
        """Whether the parts are all columns of a tensor, in their order."""
        own = [part for part in parts if part.leaf == leaf]
        shape = shape_in(self.body, leaf, self.outside.shape_of)
        ends = [0, *(part.first + part.count for part in own)]
        in_a_row = all(part.first == end for part, end in zip(own, ends, strict=False))
        return shape is not None and in_a_row and ends[-1] == shape[0 if own[0].is_turned else 1]

    def _biases(self) -> tuple[str, ...] | None:
        names = self.cell.biases
        if not names:
            return ("",)
        whole = self.outside.halves([outer_of(self.body, name) for name in names])
        if whole:
            return (whole,)
        are_apart = self.cell.told.reset_after and len(names) == 2
        groups = [[name] for name in names] if are_apart else [list(names)]
        values = tuple(value for group in groups if (value := self._value(group, 0, "bias")) is not None)
        return values if len(values) == len(groups) else None

    def _value(self, leaves: Sequence[str], axis: int, label: str) -> str | None:
        """The value outside of a tensor that the body reads, or of several put together."""
        values = [self._outer(leaf) for leaf in leaves]
        if len(values) == 1:
            return values[0]
        return self.outside.joined(f"{self.node.outputs[0]}/{label}", values, axis)

    def _outer(self, leaf: str) -> str:
        """The name outside; a tensor of the body comes out of it."""
        header = self.body.tensors.get(leaf)
        if header is None:
            return outer_of(self.body, leaf)
        name = leaf
        while name in self.outside.tensors and self.outside.tensors[name].span != header.span:
            name = f"{self.body.graph.name}/{name}"
        self.outside.tensors.setdefault(name, replace(header, name=name))
        return name
