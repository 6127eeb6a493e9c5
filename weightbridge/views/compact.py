"""LayerGraph -> one side of a report's `graphs`: as compact as pictures and stages need it.

A layer is `[name, op, output shape, names of its tensors, stride]`, an edge a pair of places in the list.
"""

from fractions import Fraction
from typing import Any

from weightbridge.model.graph import LayerGraph
from weightbridge.model.strides import stride_of


def compact(graph: LayerGraph) -> dict[str, Any]:
    """The graph as a report's JSON object has it."""
    place = graph.place
    edges = {(place[edge.source], place[edge.target]) for edge in graph.edges}
    return {
        "has_flow": graph.has_flow,
        "layers": [
            [
                layer.name,
                layer.op,
                None if layer.output_shape is None else list(layer.output_shape),
                [tensor.name for tensor in layer.tensors],
                _number(stride_of(layer)),
            ]
            for layer in graph.layers
        ],
        "edges": sorted(map(list, edges)),
    }


def _number(stride: Fraction) -> int | float:
    return stride.numerator if stride.denominator == 1 else float(stride)
