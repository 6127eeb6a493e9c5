"""LayerGraph -> the `graph` object of an inspect report.

Layers with attributes and tensors, edges, what is excluded.
"""

from collections.abc import Mapping
from typing import Any

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.report.document import plain
from weightbridge.report.render.json import render as json_text


def graph_to_json(graph: LayerGraph) -> dict[str, Any]:
    """Layers in the graph's own order; no bytes of a weight are read."""
    return {
        "framework": graph.framework,
        "has_flow": graph.has_flow,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "layers": [_layer(layer) for layer in graph.layers],
        "edges": [[edge.source, edge.target, edge.position] for edge in graph.edges],
        "excluded": [{"name": one.name, "reason": one.reason, "size": one.size} for one in graph.excluded],
    }


def render(graph: Mapping[str, Any]) -> str:
    """The graph object alone, as JSON."""
    return json_text(graph)


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "op": layer.op,
        "class_name": layer.class_name,
        "attributes": plain(layer.attributes),
        "output_shape": plain(layer.output_shape),
        "tensors": [
            {
                "name": t.name,
                "role": t.role,
                "shape": list(t.shape),
                "dtype": t.dtype,
                "trainable": t.trainable,
            }
            for t in layer.tensors
        ],
    }
