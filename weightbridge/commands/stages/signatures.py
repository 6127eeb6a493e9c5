"""A SavedModel whose Keras layers need code: what its serving signature computes is read instead."""

from dataclasses import replace
from pathlib import Path

from weightbridge.errors import ModelError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph

SERVED = "saved-model"
FIX = "Give the model as py:package.module:callable where its own layers are wanted"


def without_code(graph: LayerGraph) -> LayerGraph:
    """The graph itself where its layers need no code, or where the signature cannot be followed."""
    code = next((found for found in graph.findings if found.code == "WB104"), None)
    if graph.format != SERVED or graph.framework != "keras":
        return graph
    if code is not None:
        return _instead(graph, code)
    return graph if graph.architecture is not None else _by_signature(graph)


def _instead(graph: LayerGraph, code: Finding) -> LayerGraph:
    """code: what is said of the first class or Lambda."""
    try:
        followed = _by_signature(graph)
    except ModelError as error:
        reason = f"; nor can the graph of its signature be read: {error.message}"
        told = replace(code, message=code.message + reason)
        return replace(graph, findings=tuple(told if f is code else f for f in graph.findings))
    message = f"what the serving signature computes was read, not Keras's layers, as {code.message}"
    return replace(followed, findings=(finding("WB108", message, fix=FIX), *followed.findings))


def _by_signature(graph: LayerGraph) -> LayerGraph:
    # no other conversion loads what reads TensorFlow's graphs
    from weightbridge.formats.tensorflow.saved_model.file import read_signature

    return read_signature(Path(graph.path))
