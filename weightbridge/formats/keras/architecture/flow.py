"""A config's tree -> its calls as nodes in topological order.

Nested models flattened, wrappers opened, shared layers numbered.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.calls import calls_of, check_outputs, ordered
from weightbridge.formats.keras.architecture.config import MODELS, ConfigLayer, walk
from weightbridge.formats.keras.architecture.order import keras_order
from weightbridge.formats.keras.architecture.wrappers import is_cell_alone, storage_names, way, wrapped_parts

NO_CALL = Call(())


@dataclass(frozen=True, slots=True)
class Source:
    """One output (`port`) of a node, and the argument that it is for the node that it feeds."""

    node: str
    port: int = 0
    keyword: str = ""


Outputs = tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a layer.

    name: its path in the scopes, with `#n` for calls after the first.
    owner: the first call's name, which has the tensors.
    sources: the outputs of nodes that feed it.
    top: the name of the layer of the outermost model that it is or is in.
    store: where Keras 3 keeps its variables.
    parts: for a wrapper, the nodes of what it wraps.
    call: what it is called with, in the terms of its own model's config.
    """

    name: str
    owner: str
    layer: ConfigLayer
    sources: tuple[Source, ...]
    top: str
    store: str
    op: str = ""
    parts: tuple[str, ...] = ()
    call: Call = NO_CALL

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the nodes that feed it."""
        return tuple(source.node for source in self.sources)


@dataclass(frozen=True, slots=True)
class Flow:
    """All nodes of a model, each after those that feed it, the names of its inputs, and its outputs."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: Outputs


def flow_of(model: ConfigLayer, where: str) -> Flow:
    """Raises Corrupt for calls that go in a circle, or use what is not there."""
    builder = _Builder(where)
    place = _Place("", "", "")
    outputs = builder.model(model, place, ())
    nodes = tuple(builder.nodes)
    return Flow(nodes, tuple(n.name for n in nodes if n.op == "Input"), outputs)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a layer stands: the scope of its name, its storage path in Keras 3, and its top layer."""

    scope: str
    store: str
    top: str

    def named(self, name: str) -> str:
        return f"{self.scope}/{name}" if self.scope else name


class _Builder:
    """Collects nodes; counts the calls of each layer."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.nodes: list[Node] = []
        self.calls: dict[str, int] = {}

    def model(self, model: ConfigLayer, place: _Place, inputs: Outputs) -> Outputs:
        """The nodes of a model's layers, and the names of its outputs."""
        if model.kind == "sequential":
            return self._sequential(model, place, inputs)
        return self._functional(model, place, inputs)

    def layer(self, layer: ConfigLayer, place: _Place, inputs: Outputs) -> Outputs:
        """The nodes of one call. `place.store` is the layer's own."""
        if layer.kind in MODELS:
            return self.model(layer, replace(place, scope=place.named(layer.name)), inputs)
        if layer.layers and not is_cell_alone(layer):
            return self._wrapper(layer, place, inputs)
        if layer.layers:
            cell = layer.layers[0]
            layer = replace(
                layer,
                class_name=cell.class_name,
                config={**cell.config, **way(layer)},
                module=cell.module,
                layers=(),
                wrapped=(),
            )
        return self._add(layer, place, inputs, "")

    def _sequential(self, model: ConfigLayer, place: _Place, inputs: Outputs) -> Outputs:
        stores = storage_names(model.layers)
        if not inputs and model.layers and model.layers[0].class_name != "InputLayer":
            inputs = self._add(implied_input(model.layers[0]), place, (), "Input")
        for layer in model.layers:
            inner = _inside(place, layer, stores)
            if layer.class_name == "InputLayer":
                inputs = self._input(layer, inner, inputs)
            else:
                inputs = self.layer(layer, inner, inputs)
        return inputs

    def _functional(self, model: ConfigLayer, place: _Place, inputs: Outputs) -> Outputs:
        calls = calls_of(model)
        check_outputs(model, calls, self.where)
        in_order = ordered(model, calls, self.where)
        stores = storage_names(_stored(model))
        fed = dict(zip((reference.layer for reference in model.inputs), inputs, strict=False))
        made: dict[tuple[str, int], Outputs] = {}
        for layer, number, call in in_order:
            inner = _inside(place, layer, stores)
            if layer.class_name == "InputLayer":
                made[layer.name, number] = self._input(layer, inner, _fed_to(layer, fed, inputs))
            else:
                sources = [self._source(made[r.layer, calls.number(r)], r) for r in call.inputs]
                made[layer.name, number] = self._called(layer, inner, tuple(sources), call)
        ends = [(made[r.layer, calls.number(r, output=True)], r) for r in model.outputs]
        return tuple(self._source(outputs, reference) for outputs, reference in ends)

    def _input(self, layer: ConfigLayer, place: _Place, inputs: Outputs) -> Outputs:
        """An input of a model; that of a nested one passes on what it is fed."""
        return self._add(layer, place, inputs, "Identity" if inputs else "Input")

    def _called(self, layer: ConfigLayer, place: _Place, inputs: Outputs, call: Call) -> Outputs:
        """The nodes of a call, of which that of the layer itself comes last."""
        outputs = self.layer(layer, place, inputs)
        if layer.kind not in MODELS:
            self.nodes[-1] = replace(self.nodes[-1], call=call)
        return outputs

    def _wrapper(self, layer: ConfigLayer, place: _Place, inputs: Outputs) -> Outputs:
        """The wrapped layers between the wrapper's parents and the wrapper.

        Side by side, or one after another (cells).
        """
        inner = replace(place, scope=place.named(layer.name))
        parts: list[Source] = []
        feeding = inputs
        for part, store in wrapped_parts(layer):
            made = self.layer(part, replace(inner, store=f"{place.store}/{store}"), feeding)
            parts.extend(made)
            feeding = made if store.startswith("cell") else inputs
        ends = tuple(parts[-1:]) if layer.class_name != "Bidirectional" else tuple(parts)
        return self._add(layer, place, ends, "", tuple(part.node for part in parts))

    def _add(
        self, layer: ConfigLayer, place: _Place, inputs: Outputs, op: str, parts: tuple[str, ...] = ()
    ) -> Outputs:
        owner = place.named(layer.name)
        count = self.calls.get(owner, 0)
        self.calls[owner] = count + 1
        name = f"{owner}#{count}" if count else owner
        self.nodes.append(Node(name, owner, layer, inputs, place.top or layer.name, place.store, op, parts))
        return (Source(name),)

    def _source(self, outputs: Outputs, reference: Reference) -> Source:
        """A nested model has a source for each output, a layer one node with several ports."""
        if not outputs:
            raise Corrupt(
                "a model or layer that gives nothing is used as if it did",
                where=self.where,
                fix="Save the model again",
            )
        index = reference.tensor
        output = outputs[index] if index < len(outputs) else replace(outputs[-1], port=index)
        return replace(output, keyword=reference.keyword)


def _stored(model: ConfigLayer) -> tuple[ConfigLayer, ...]:
    """The layers as their weights are stored: Keras 3 computes that order from the calls."""
    is_modern = any(call.modern for layer in model.layers for call in layer.calls)
    return keras_order(model) if is_modern else model.layers


def _fed_to(layer: ConfigLayer, fed: Mapping[str, Source], inputs: Outputs) -> Outputs:
    """What feeds an input of a nested model; the first one where it is not said."""
    return (replace(fed.get(layer.name, inputs[0]), keyword=""),) if inputs else ()


def _inside(place: _Place, layer: ConfigLayer, stores: Mapping[str, str]) -> _Place:
    prefix = f"{place.store}/layers" if place.store else "layers"
    return _Place(place.scope, f"{prefix}/{stores.get(layer.name, '')}", place.top or layer.name)


def implied_input(layer: ConfigLayer) -> ConfigLayer:
    """What Keras makes of a Sequential whose first layer tells its input's shape."""
    config: dict[str, Any] = {"batch_shape": told_shape(layer), "name": f"{layer.name}_input"}
    return ConfigLayer(name=f"{layer.name}_input", class_name="InputLayer", config=config)


def told_shape(layer: ConfigLayer) -> Any:
    for inner in walk(layer):
        shape = inner.config.get("batch_shape", inner.config.get("batch_input_shape"))
        if shape is not None:
            return shape
    return layer.build_shape
