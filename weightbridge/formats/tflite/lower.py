"""A subgraph of TFLite -> a graph of ONNX's operators, with the file's own tensors under their own names.

What ONNX has no operator for keeps TFLite's name, and becomes a layer of unknown class with its tensors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.onnx.proto import Graph, Node, ValueInfo
from weightbridge.formats.onnx.values.constants import Read
from weightbridge.formats.tensorflow.dilations import with_dilations
from weightbridge.formats.tensorflow.loops.rewrite import with_cells
from weightbridge.formats.tensorflow.row_products import with_row_products
from weightbridge.formats.tflite.constants import CODES, FLOAT32, Constants, constants_of
from weightbridge.formats.tflite.messages import Model, Operator, Subgraph, Tensor
from weightbridge.formats.tflite.nodes import (
    arithmetic,
    borders,
    convolutions,
    cutting,
    dense,
    recurrent,
    reductions,
    views,
)
from weightbridge.formats.tflite.nodes.call import Call, Handler

HANDLERS: Mapping[str, Handler] = {
    **convolutions.HANDLERS,
    **dense.HANDLERS,
    **arithmetic.HANDLERS,
    **views.HANDLERS,
    **cutting.HANDLERS,
    **borders.HANDLERS,
    **reductions.HANDLERS,
    **recurrent.HANDLERS,
}
DOMAIN = "tflite"  # of the operators that ONNX does not have
CALLED: Mapping[str, Mapping[str, int]] = {  # operator -> the fields of its options that number subgraphs
    "WHILE": {"cond": 0, "body": 1},
    "IF": {"then_branch": 0, "else_branch": 1},
    "CALL_ONCE": {"init": 0},
    "STABLEHLO_COMPOSITE": {"decomposition": 1},
}
DEPTH = 32  # of subgraphs inside each other


def lowered(model: Model, number: int, read: Read) -> Graph:
    """The subgraph of this number. read: the values of a small constant. Raises a ModelError."""
    return _Lowering(model, read).graph(number, ())


@dataclass
class _Lowering:
    """called: the subgraphs whose nodes stand somewhere already."""

    model: Model
    read: Read
    called: set[int] = field(default_factory=set)

    def graph(self, number: int, above: tuple[int, ...]) -> Graph:
        """above: the subgraphs around it."""
        subgraph = self._subgraph(number, above)
        names = value_names(subgraph)
        constants = constants_of(subgraph, names, self.read)
        tensors = dict(zip(names, subgraph.tensors, strict=True))
        nodes = [*constants.nodes]
        for operator in subgraph.operators:
            nodes += self._nodes(_call(operator, names, tensors, constants), (*above, number))
        outputs = _named(subgraph.outputs, names)
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        headers = {header.name: header for header in constants.headers}
        nodes = nodes if above else with_cells(nodes, outputs, headers, shapes, self.read)
        joined = with_row_products(
            with_dilations(nodes, outputs, constants.numbers, constants.are_zeros), outputs, shapes
        )
        return Graph(
            name=subgraph.name,
            nodes=tuple(joined),
            initializers=tuple(headers.values()),
            inputs=_infos(subgraph.inputs, names, tensors),
            outputs=_infos(subgraph.outputs, names, tensors),
            value_infos=_infos(range(len(names)), names, tensors),
        )

    def _subgraph(self, number: int, above: tuple[int, ...]) -> Subgraph:
        if not 0 <= number < len(self.model.subgraphs):
            raise Corrupt(f"subgraph {number} is to be run, there are {len(self.model.subgraphs)}")
        if number in above:
            raise Corrupt(f"subgraph {number} runs itself")
        if len(above) > DEPTH:
            raise ResourceBomb(f"more than {DEPTH} subgraphs inside each other")
        self.called.add(number)
        return self.model.subgraphs[number]

    def _nodes(self, call: Call, above: tuple[int, ...]) -> list[Node]:
        operator = call.operator
        if not call.outputs:
            return []
        handler = None if operator.is_custom else HANDLERS.get(operator.op)
        nodes = handler(call) if handler and all(call.outputs) else None
        if nodes is not None:
            return nodes
        inner = self._inner(call, above)
        return [Node(call.output, operator.op, DOMAIN, call.inputs, call.outputs, inner)]

    def _inner(self, call: Call, above: tuple[int, ...]) -> dict[str, Any]:
        """The subgraphs that an operator runs; one that others run too stands with the first of them."""
        fields = {} if call.operator.is_custom else CALLED.get(call.operator.op, {})
        numbers = {name: call.integer(place) for name, place in fields.items()}
        return {
            name: self.graph(number, above)
            for name, number in numbers.items()
            if number in above or number not in self.called
        }


def value_names(subgraph: Subgraph) -> list[str]:
    """A unique name for each tensor: its own, with a number where others have the same or it has none."""
    names: list[str] = []
    taken: set[str] = set()
    for number, tensor in enumerate(subgraph.tensors):
        name = tensor.name or f"tensor_{number}"
        unique = name if name not in taken else f"{name}~{number}"
        while unique in taken:
            unique += "~"
        taken.add(unique)
        names.append(unique)
    return names


def _call(
    operator: Operator, names: Sequence[str], tensors: Mapping[str, Tensor], constants: Constants
) -> Call:
    """The operator; a state that it keeps from run to run is none of its inputs."""
    inputs = [
        "" if value and tensors[value].is_variable else value for value in _named(operator.inputs, names)
    ]
    given = max((place + 1 for place, value in enumerate(inputs) if value), default=0)
    outputs = _named(operator.outputs, names)
    return Call(operator, tuple(inputs[:given]), outputs, tensors, constants.numbers)


def _named(numbers: Sequence[int], names: Sequence[str]) -> tuple[str, ...]:
    return tuple("" if number < 0 else names[number] for number in numbers)


def _infos(
    numbers: Sequence[int], names: Sequence[str], tensors: Mapping[str, Tensor]
) -> tuple[ValueInfo, ...]:
    values = [names[number] for number in numbers if number >= 0]
    return tuple(ValueInfo(value, _type_seen(tensors[value]), tensors[value].shape) for value in values)


def _type_seen(tensor: Tensor) -> int:
    """Codes with a scale are seen as the floats that they stand for."""
    return FLOAT32 if tensor.quantisation is not None and tensor.elem_type in CODES else tensor.elem_type
