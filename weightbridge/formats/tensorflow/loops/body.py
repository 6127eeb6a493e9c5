"""What a loop's body does with its values: leave one, read a step of it, write one, carry a state."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader
from weightbridge.formats.onnx.values.evaluate import evaluate, is_small
from weightbridge.model.tensors import Array

COPIES = frozenset({"Identity", "Cast"})
ONES = frozenset({"Reshape", "Squeeze", "Unsqueeze"})  # that may do no more than add axes of length one
SET_ITEM = "TensorListSetItem"
WRITES = {SET_ITEM: (2, 1), "DYNAMIC_UPDATE_SLICE": (1, 2)}  # the places of what is written, and where
LEAST = {  # the inputs that are asked of a node
    **dict.fromkeys((*COPIES, *ONES, "Transpose", "Slice", "SLICE", "Split"), 1),
    **dict.fromkeys(("Gather", "MatMul", "Gemm"), 2),
    **dict.fromkeys(WRITES, 3),
}
Read = Callable[[TensorHeader], Array]


@dataclass(frozen=True)
class Body:
    """graph: the body, in ONNX's operators. outer: what each of its inputs is given at first.

    read: the values of a small constant inside.
    """

    graph: Graph
    outer: tuple[str, ...]
    read: Read

    @cached_property
    def maker(self) -> Mapping[str, Node]:
        return {value: node for node in self.graph.nodes for value in node.outputs}

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        return tuple(info.name for info in self.graph.inputs)

    @cached_property
    def results(self) -> tuple[str, ...]:
        return tuple(self.source(info.name) for info in self.graph.outputs)

    @cached_property
    def tensors(self) -> Mapping[str, TensorHeader]:
        return {header.name: header for header in self.graph.initializers}

    @cached_property
    def numbers(self) -> Mapping[str, Array]:
        """Small constants, also those that the body computes from others."""
        known = {header.name: self.read(header) for header in self.graph.initializers if is_small(header)}
        for node in self.graph.nodes:
            number = evaluate(node, known, self.read)
            if number is not None and node.outputs:
                known[node.outputs[0]] = number
        return known

    def source(self, value: str) -> str:
        """The value itself, behind copies."""
        return self._behind(value, COPIES)

    def plain(self, value: str) -> str:
        """The same behind axes of length one, too."""
        return self._behind(value, COPIES | ONES)

    def _behind(self, value: str, ops: frozenset[str]) -> str:
        seen = {value}
        while value in self.maker and self.maker[value].op in ops and not self.maker[value].domain:
            value = self.maker[value].inputs[0]
            if value in seen:
                break  # a circle, which computes nothing
            seen.add(value)
        return value

    @cached_property
    def fixed(self) -> frozenset[str]:
        """The arguments that stay as they are."""
        return frozenset(a for a, r in zip(self.arguments, self.results, strict=True) if a == r)

    @cached_property
    def written(self) -> Mapping[int, str]:
        """By the number of an argument that collects one value of each step: that value."""
        found = {place: self._item(place) for place in range(len(self.results))}
        return {place: item for place, item in found.items() if item}

    @cached_property
    def alone(self) -> Mapping[int, str]:
        """By the number of an argument that keeps the last step's value alone, with one more axis."""
        found = {}
        for place, result in enumerate(self.results):
            node = self.maker.get(result)
            if place in self.written or self.arguments[place] in self._read or node is None:
                continue
            item = self.plain(node.inputs[WRITES[SET_ITEM][0]] if node.op == SET_ITEM else result)
            if item != result:
                found[place] = item
        return found

    def _item(self, place: int) -> str:
        """What is written where the loop is; "" for anything else."""
        node, argument = self.maker.get(self.results[place]), self.arguments[place]
        if node is None:
            return ""
        if node.op in WRITES and self.source(node.inputs[0]) == argument:
            item, index = (node.inputs[n] for n in WRITES[node.op])
            return "" if self.source(index) in self.numbers else self.plain(item)
        return self._between(node, argument)

    def _between(self, node: Node, argument: str) -> str:
        """The middle of three parts, where the others are cut out of the argument."""
        if node.op != "Concat" or len(node.inputs) != 3 or node.attributes.get("axis") != 0:
            return ""
        makers = [self.maker.get(node.inputs[n]) for n in (0, 2)]
        are_cut = all(
            m is not None and m.op in ("Slice", "SLICE") and self.source(m.inputs[0]) == argument
            for m in makers
        )
        return self.plain(node.inputs[1]) if are_cut else ""

    @cached_property
    def _read(self) -> frozenset[str]:
        """What the nodes read, but for what a list of one place hands on."""
        lists = (node for node in self.graph.nodes if node.op != SET_ITEM)
        return frozenset(value for node in lists for value in node.inputs)


def are_whole(nodes: Iterable[Node]) -> bool:
    """Whether none of them lacks an input that is asked of it, as those of a damaged file may."""
    return all(len(node.inputs) >= LEAST.get(node.op, 0) for node in nodes)


def step_read(body: Body, value: str) -> str:
    """The sequence of which a value is the step of this turn, "" for anything else."""
    node = body.maker.get(body.plain(value))
    if node is None or node.op != "Gather" or node.attributes.get("axis", 0) != 0:
        return ""
    index = body.plain(node.inputs[1])
    counts = index in body.arguments and index not in body.fixed
    return body.source(node.inputs[0]) if counts else ""


def outer_of(body: Body, value: str) -> str:
    """The value outside that a fixed argument is, else the value itself."""
    return body.outer[body.arguments.index(value)] if value in body.fixed else value
