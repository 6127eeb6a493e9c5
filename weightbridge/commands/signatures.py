"""A SavedModel whose Keras layers need code: what its serving signature computes is read instead."""

from dataclasses import replace
from pathlib import Path

from weightbridge.errors import ModelError
from weightbridge.errors.diagnostics import finding
from weightbridge.model.graph import LayerGraph

SERVED = "saved-model"
FIX = "Give the model as py:package.module:callable where its own layers are wanted"


def without_code(graph: LayerGraph) -> LayerGraph:
    """The graph itself where its layers need no code, or where the signature cannot be followed."""
    code = [found for found in graph.findings if found.code == "WB104"]
    if graph.format != SERVED or graph.framework != "keras" or not code:
        return graph
    # no other conversion loads what reads TensorFlow's graphs
    from weightbridge.formats.tensorflow.saved_model.file import read_signature

    try:
        followed = read_signature(Path(graph.path))
    except ModelError as error:
        reason = f"; nor can the graph of its signature be read: {error.message}"
        said = tuple(replace(f, message=f.message + reason) if f in code else f for f in graph.findings)
        return replace(graph, findings=said)
    message = f"what the serving signature computes was read, not Keras's layers, as {code[0].message}"
    return replace(followed, findings=(finding("WB108", message, fix=FIX), *followed.findings))
