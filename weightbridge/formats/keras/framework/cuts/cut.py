"""A Keras model cut at one of its layers, inside nested models too.

An ordinary model that shares the layers with the whole.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import keras

from weightbridge.errors import Unsupported, UsageError
from weightbridge.formats.keras.framework.walk import live_layers


def cut(model: Any, layer: str, where: str) -> Any:
    """The model from its inputs to the output of `layer` (a name as `inspect` lists it; `name#1` is the
    second call of a shared layer).

    Raises UsageError where there is no such layer, and names those that are called alike; Unsupported for a
    model without a graph.
    """
    if not getattr(model, "inputs", None):
        fix = "Build it with the functional API, or call it on data before it is saved"
        raise Unsupported(
            "the model is subclassed or was never built: it has no graph to cut", where=where, fix=fix
        )
    known = _cuttable(model)
    base, _, call = layer.partition("#")
    if base not in known or (call and not call.isdigit()):
        raise _unknown(layer, model, known, where)
    output = _output(model, base, int(call or 0), where)
    return keras.Model(_reached(model, output), output, name=model.name)


def _cuttable(model: Any) -> list[str]:
    """Layers whose outputs are tensors of a graph.

    Those of functional and sequential models, at any depth; not the inputs.
    """
    graphs, found = {""}, []
    for one in live_layers(model):
        if one.scope in graphs and not isinstance(one.layer, keras.layers.InputLayer):
            found.append(one.name)
            graphs |= {one.name} if one.layer._obj_type() in ("Functional", "Sequential") else set()
    return found


def _unknown(layer: str, model: Any, known: Iterable[str], where: str) -> UsageError:
    inside = [one.name for one in live_layers(model) if one.name == layer]
    if inside:
        holder = (
            next(name for name in sorted(known, key=len, reverse=True) if layer.startswith(f"{name}/"))
            if "/" in layer
            else ""
        )
        message = f"layer {layer!r} gives no tensor of the graph" + (
            f": it works inside {holder!r}" if holder else ""
        )
        return UsageError(
            message, where=where, fix=f"Cut at {holder!r}" if holder else "Cut at a layer behind it"
        )
    names = list(known)
    near = (
        get_close_matches(layer, names, 5, 0.5)
        or get_close_matches(layer.rpartition("/")[2], names, 5, 0.3)
        or names[-5:]
    )
    return UsageError(
        f"there is no layer {layer!r}",
        where=where,
        fix=f"Near it are {', '.join(near)}; weightbridge inspect lists all",
    )


def _output(model: Any, layer: str, call: int, where: str) -> Any:
    """The layer's symbolic output as computed from the model's own inputs."""
    scope, inner = _nearest(model, layer)
    if not inner:
        nodes = [node for node in scope._inbound_nodes if node in _nodes(model)]
        if call >= len(nodes):
            raise UsageError(
                f"layer {layer!r} is called {len(nodes)} times here",
                where=where,
                fix="Count its calls from 0",
            )
        return nodes[call].outputs[0] if len(nodes[call].outputs) == 1 else nodes[call].outputs
    part = keras.Model(scope.inputs, _output(scope, inner, call, where), name=scope.name)
    fed = next(node for node in scope._inbound_nodes if node in _nodes(model)).input_tensors
    return part(fed[0] if len(fed) == 1 else list(fed))


def _nearest(model: Any, layer: str) -> tuple[Any, str]:
    """The layer of this model that the name begins with, and the rest of the name.

    Names may hold slashes themselves.
    """
    fitting = [one for one in model.layers if layer == one.name or layer.startswith(f"{one.name}/")]
    found = max(fitting, key=lambda one: len(one.name))
    return found, layer[len(found.name) + 1 :]


def _nodes(model: Any) -> list[Any]:
    """The calls that belong to this model's graph, first to last; a layer may have others elsewhere."""
    by_depth = getattr(model, "_functional", model)._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def _reached(model: Any, outputs: Any) -> Any:
    """The inputs that the outputs depend on, in the model's order."""
    stack, seen, reached = list(keras.tree.flatten(outputs)), set[int](), set[int]()
    while stack:
        tensor = stack.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        operation, node, _ = tensor._keras_history
        stack += operation._inbound_nodes[node].input_tensors
        reached.add(id(tensor))
    inputs = [tensor for tensor in model.inputs if id(tensor) in reached]
    return inputs[0] if len(inputs) == 1 else inputs
