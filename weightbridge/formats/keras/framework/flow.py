"""A Keras model as a flow of single operations; nested models are opened, activations stand apart."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np

from weightbridge.errors import RunError, Unsupported
from weightbridge.formats.flow import Node
from weightbridge.formats.keras.framework.assign import assign, restored_on_failure
from weightbridge.formats.keras.framework.backends import as_array, as_tensor, inference
from weightbridge.formats.keras.framework.inputs import input_specs
from weightbridge.formats.keras.framework.live import read
from weightbridge.formats.keras.framework.load import load
from weightbridge.formats.keras.framework.operations import kind_of, known_kind, roles_of, settings_of
from weightbridge.formats.keras.framework.runs.logits import replaced
from weightbridge.formats.keras.framework.storage import storage_of
from weightbridge.formats.keras.framework.walk import live_layers
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array

__all__ = ["KerasFlow", "flow", "input_specs", "kept_as_it_is", "loaded"]

AT_ONCE = 1 << 22  # numbers of one batch that an operation gives
BUILD = "build it with the functional API, or as a Sequential with an Input"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: the nodes that it reads, and which of its outputs is meant.

    own: the layer's own activation, apart: True is the activation alone, False the layer without it.
    """

    operation: Any
    node: Any
    inputs: tuple[int, ...]
    output: int
    own: bool | None = None


def loaded(model: Any) -> Any:
    """The live model, or that of a file, where it can be taken apart.

    Raises Unsupported for one without a graph, or with several inputs or outputs.
    """
    live = load(Path(model)) if isinstance(model, str | Path) else model
    if len(getattr(live, "inputs", None) or ()) != 1 or len(live.outputs) != 1:
        message = "only a model with a graph, one input and one output can be fitted"
        where = str(model) if isinstance(model, str | Path) else str(getattr(model, "name", "model"))
        raise Unsupported(message, where=where, fix=BUILD)
    return live


def flow(model: Any, x: Array) -> "KerasFlow":
    """The flow of a model that `loaded` gave, for inputs like `x`. RunError where it cannot run on x."""
    return KerasFlow(model, str(model.name), x[:2])


@contextmanager
def kept_as_it_is(model: Any) -> Iterator[None]:
    """A live model has its own weights again when this ends; of one in a file a copy is changed."""
    if isinstance(model, str | Path):
        yield
    else:
        with restored_on_failure(model):
            yield


class KerasFlow:
    """See `formats.flow.Flow`. The model's own variables are read and set."""

    def __init__(self, model: Any, where: str, x: Array) -> None:
        self.model, self.where = model, where
        self._names = {id(one.layer): one.name for one in live_layers(model)}
        self._calls: list[Call | None] = [None]
        self.nodes: tuple[Node, ...] = ()
        self._build(x)

    def run(self, node: int, arrays: Sequence[Array]) -> Array:
        per_item = max(prod(self.nodes[node].shape), *(prod(a.shape[1:]) for a in arrays), 1)
        return self._run(self._calls[node], arrays, max(1, min(512, AT_ONCE // per_item)))

    def weights(self, node: int) -> dict[str, Array]:
        return {role: as_array(v.value) for role, v in self._variables(node).items()}

    def assign(self, node: int, values: Mapping[str, Array]) -> None:
        variables = self._variables(node)
        for role, value in values.items():
            variables[role].assign(np.asarray(value, dtype="float32").reshape(variables[role].shape))

    def fill(self, values: Mapping[str, Array]) -> None:
        """Sets tensors by their names in the graph of the model."""
        known = self._graph.tensor_by_name
        assign(self.model, ((known[name], value) for name, value in values.items()), self._stored)

    def names(self, node: int) -> dict[str, str]:
        """By role, the tensor's name in the graph of the model."""
        return {role: self._named[id(v)] for role, v in self._variables(node).items() if id(v) in self._named}

    @cached_property
    def _graph(self) -> LayerGraph:
        return read(self.model)

    @cached_property
    def _stored(self) -> Mapping[str, Any]:
        """The variables by their keys; walking a model takes a while."""
        return storage_of(self.model).variables

    @cached_property
    def _named(self) -> Mapping[int, str]:
        return {id(self._stored[t.key]): t.name for t in self._graph.tensors if t.key in self._stored}

    def _variables(self, node: int) -> dict[str, Any]:
        call = self._calls[node]
        return {} if call is None else roles_of(call.operation)

    def _build(self, x: Array) -> None:
        """Runs every operation once on two items, which gives the shapes."""
        (symbol,), (end,) = self.model.inputs, self.model.outputs
        first = np.asarray(x, dtype="float32")
        nodes, results, seen = [Node(symbol.name, "input", (), tuple(first.shape[1:]))], [first], set[int]()
        places = {id(symbol): 0}  # by symbol, the node that gives it
        for call, symbols in self._opened(self.model, places):
            arrays = [results[i] for i in call.inputs]
            results.append(self._run(call, arrays, 2))
            node = self._node(call, tuple(results[-1].shape[1:]), arrays)
            nodes.append(replace(node, again=bool(node.roles) and id(call.operation) in seen))
            seen.add(id(call.operation))
            places.update(dict.fromkeys(symbols, len(nodes) - 1))
            self._calls.append(call)
        self.nodes, self._calls = _towards(nodes, self._calls, places[id(end)])

    def _node(self, call: Call, shape: tuple[int, ...], arrays: Sequence[Array]) -> Node:
        operation, inputs = call.operation, call.inputs
        name = self._names.get(id(operation), operation.name)
        if call.own:
            return Node(f"{name}:act", "elementwise", inputs, shape)
        shapes = [tuple(array.shape[1:]) for array in arrays]
        kind = kind_of(operation, shapes, shape, lambda x: self._run(call, [x], len(x)))
        return Node(name, kind, inputs, shape, settings_of(operation), tuple(roles_of(operation)))

    def _opened(self, model: Any, places: dict[int, int]) -> Iterator[tuple[Call, tuple[int, ...]]]:
        """The calls below a model in order, and the symbols that each gives.

        places: by symbol the node that gives it, at the borders of nested models too.
        """
        graph = _graph_of(model)
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if not isinstance(node.operation, keras.layers.InputLayer):
                    yield from self._of_node(node, places)

    def _of_node(self, node: Any, places: dict[int, int]) -> Iterator[tuple[Call, tuple[int, ...]]]:
        operation, read = node.operation, tuple(places[id(t)] for t in node.input_tensors)
        if hasattr(_graph_of(operation), "_nodes_by_depth"):
            inner = _graph_of(operation)
            places.update(zip(map(id, inner.inputs), read, strict=True))
            yield from self._opened(operation, places)
            ends = zip(node.outputs, inner.outputs, strict=True)
            places.update({id(mine): places[id(theirs)] for mine, theirs in ends})
        elif _has_own_activation(operation):
            yield Call(operation, node, read, 0, own=False), (id(node),)
            yield Call(operation, node, (places[id(node)],), 0, own=True), (id(node.outputs[0]),)
        else:
            yield from ((Call(operation, node, read, n), (id(t),)) for n, t in enumerate(node.outputs))

    def _run(self, call: Call | None, arrays: Sequence[Array], batch: int) -> Array:
        assert call is not None
        with inference("float32"):
            try:
                parts = [
                    _called(call, [a[start : start + batch] for a in arrays])
                    for start in range(0, len(arrays[0]), batch)
                ]
            except Exception as error:  # whatever a layer raises
                reason = f"{type(error).__name__}: {str(error)[:200]}"
                raise RunError(f"{call.operation.name} cannot run: {reason}", where=self.where) from error
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _graph_of(model: Any) -> Any:
    """A Sequential keeps its graph inside."""
    return getattr(model, "_functional", None) or model


def _called(call: Call, arrays: Sequence[Array]) -> Array:
    tensors = [as_tensor(np.ascontiguousarray(array)) for array in arrays]
    if call.own:
        return as_array(call.operation.activation(tensors[0])).astype("float32", copy=False)
    symbols = [id(t) for t in call.node.input_tensors]
    args, kwargs = call.node.arguments.fill_in(dict(zip(symbols, tensors, strict=True)))
    if getattr(call.operation, "_call_has_training_arg", False):
        kwargs = {**kwargs, "training": False}
    if call.own is None:
        result = call.operation(*args, **kwargs)
    else:
        with replaced(call.operation, "activation", keras.activations.linear):
            result = call.operation(*args, **kwargs)
    return as_array(keras.tree.flatten(result)[call.output]).astype("float32", copy=False)


def _has_own_activation(operation: Any) -> bool:
    own = getattr(operation, "activation", None)
    return known_kind(operation) in ("conv", "depthwise", "separable", "dense") and own not in (
        None,
        keras.activations.linear,
    )


def _towards(
    nodes: Sequence[Node], calls: Sequence[Call | None], output: int
) -> tuple[tuple[Node, ...], list[Call | None]]:
    """Without the nodes that the output does not need."""
    needed = {output}
    for i in range(output, -1, -1):
        needed.update(nodes[i].inputs if i in needed else ())
    order = sorted(needed)
    places = {old: new for new, old in enumerate(order)}
    kept = [replace(nodes[i], inputs=tuple(places[j] for j in nodes[i].inputs)) for i in order]
    return tuple(kept), [calls[i] for i in order]
