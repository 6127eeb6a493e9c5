"""Runner of a Keras model by numpy alone, from its tree and its stored weights."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.config import MODELS, ConfigLayer
from weightbridge.formats.keras.architecture.flow import Flow, Node, Source, flow_of
from weightbridge.formats.keras.architecture.ops import OF_TENSORFLOW, function_of
from weightbridge.formats.keras.evaluate.attention import FUNCTIONS as ATTENTION
from weightbridge.formats.keras.evaluate.masks import mask_of
from weightbridge.formats.keras.evaluate.operations import FUNCTIONS as OPERATIONS
from weightbridge.formats.keras.evaluate.operations import is_known
from weightbridge.formats.keras.evaluate.plain import FUNCTIONS as PLAIN
from weightbridge.formats.keras.evaluate.recurrent import FUNCTIONS as RECURRENT
from weightbridge.formats.keras.evaluate.values import Function, Given
from weightbridge.formats.keras.evaluate.weights import Weights, weights_of
from weightbridge.formats.keras.evaluate.windows import FUNCTIONS as WINDOWS
from weightbridge.formats.running import InputSpec
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {**PLAIN, **ATTENTION, **WINDOWS, **RECURRENT, **OPERATIONS}
)
DECIDING = (
    "training",
    "use_causal_mask",
    "return_attention_scores",
)  # arguments that change what is computed


def runner(graph: LayerGraph, dtype: str = "float32") -> "Evaluator":
    """RunError for a model with a layer that is not known here."""
    tree = graph.architecture
    if not isinstance(tree, ConfigLayer) or tree.kind not in MODELS:
        raise RunError("the model has no architecture to compute", where=graph.path)
    flow = flow_of(tree, graph.path)
    unknown = sorted({problem for node in flow.nodes if (problem := _unknown(node))})
    if unknown:
        raise RunError(f"not computed here: {', '.join(unknown)}", where=graph.path)
    return Evaluator(graph, flow, dtype)


class Evaluator:
    """A model in inference mode, computed in one dtype throughout."""

    def __init__(self, graph: LayerGraph, flow: Flow, dtype: str) -> None:
        self._flow, self._dtype, self._where = flow, dtype, graph.path
        owners = dict.fromkeys(node.owner for node in flow.nodes)
        self._weights: dict[str, Weights] = {owner: weights_of(graph, owner, dtype) for owner in owners}
        self._parts = {part: (node, i) for node in flow.nodes for i, part in enumerate(node.parts)}
        self._words = _vocabularies(flow)

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        return tuple(
            _spec(node, self._words.get(node.name)) for node in self._flow.nodes if node.op == "Input"
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        tops = {node.name: node.top for node in self._flow.nodes}
        names = [tops[output.node] for output in self._flow.outputs]
        return tuple(f"{name}#{i}" if name in names[:i] else name for i, name in enumerate(names))

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """The outputs in their order. RunError where an input does not fit."""
        values: dict[str, list[Array]] = {}
        masks: dict[str, Array | None] = {}
        for node in self._flow.nodes:
            try:
                with np.errstate(all="ignore"):
                    values[node.name], masks[node.name] = self._computed(node, feeds, values, masks)
            except (ValueError, IndexError, KeyError, TypeError) as error:
                message = f"{node.name} cannot be computed: {error}"
                raise RunError(message, where=self._where) from error
        ends = (_value(values, output) for output in self._flow.outputs)
        return dict(zip(self.outputs, ends, strict=True))

    def _computed(
        self,
        node: Node,
        feeds: Mapping[str, Array],
        values: Mapping[str, list[Array]],
        masks: Mapping[str, Array | None],
    ) -> tuple[list[Array], Array | None]:
        if node.op == "Input":
            array = feeds[_short(node.name)]
            return [array.astype(self._dtype) if array.dtype.kind == "f" else array], None
        of_sources = [masks[source.node] for source in node.sources if not source.keyword]
        given = self._given(node, values, of_sources)
        if node.op:
            return [given.x], of_sources[0]
        found = self._called(node, given)
        outputs = found if isinstance(found, list) else [found]
        return [self._typed(output) for output in outputs], mask_of(given, of_sources)

    def _given(self, node: Node, values: Mapping[str, list[Array]], masks: Sequence[Array | None]) -> Given:
        first = [_value(values, source) for source in node.sources if not source.keyword]
        named = {s.keyword: _value(values, s) for s in node.sources if s.keyword}
        mask = masks[0] if masks else None
        layer, call = node.layer, node.call
        return Given(
            layer.class_name,
            layer.config,
            first,
            self._weights[node.owner],
            named,
            mask,
            layer,
            call.arguments,
            call.keywords,
            tuple(_value(values, source) for source in node.sources),
        )

    def _called(self, node: Node, given: Given) -> Any:
        """A layer inside TimeDistributed sees one step at a time; of several cells the first alone turns."""
        function = FUNCTIONS[node.layer.class_name]
        wrapper, place = self._parts.get(node.name, (None, 0))
        if wrapper is None or wrapper.layer.class_name == "Bidirectional":
            return function(given)
        if wrapper.layer.class_name == "TimeDistributed":
            x = given.x
            found = function(replace(given, inputs=[x.reshape(-1, *x.shape[2:])], mask=None))
            return found.reshape(*x.shape[:2], *found.shape[1:])
        if place:
            given = replace(given, config={**given.config, "go_backwards": False})
        return function(given)

    def _typed(self, array: Array) -> Array:
        return np.asarray(array, self._dtype) if array.dtype.kind == "f" else array


def _unknown(node: Node) -> str:
    """What stands against computing a node, "" where nothing does."""
    layer = node.layer
    if node.op:
        return ""
    if layer.class_name in OF_TENSORFLOW:
        return "" if is_known(layer) else f"the function {function_of(layer)}"
    if layer.class_name not in FUNCTIONS or layer.registered:
        return layer.class_name
    decided = [key for key in DECIDING if node.call.keywords.get(key)]
    return f"{layer.class_name} with {decided[0]}" if decided else _unknown_inside(layer)


def _unknown_inside(layer: ConfigLayer) -> str:
    if any(one.kind in MODELS for one in layer.layers):
        return f"{layer.class_name} around a model"
    return f"{layer.class_name} with its states" if layer.layers and layer.config.get("return_state") else ""


def _value(values: Mapping[str, list[Array]], source: Source) -> Array:
    outputs = values[source.node]
    if source.port >= len(outputs):
        raise RunError(f"{source.node} has no output {source.port} here")
    return outputs[source.port]


def _spec(node: Node, words: int | None) -> InputSpec:
    config = node.layer.config
    shape = config.get("batch_shape", config.get("batch_input_shape")) or [None]
    dtype = config.get("dtype") or config.get("input_dtype")
    return InputSpec(_short(node.name), tuple(shape), dtype if isinstance(dtype, str) else "float32", words)


def _vocabularies(flow: Flow) -> dict[str, int]:
    """For each input that an embedding reads, how many words the smallest of them knows."""
    origins: dict[str, str] = {}
    found: dict[str, int] = {}
    for node in flow.nodes:
        if node.op == "Input":
            origins[node.name] = node.name
        elif node.op and node.inputs and node.inputs[0] in origins:
            origins[node.name] = origins[node.inputs[0]]
        elif node.layer.class_name == "Embedding" and node.inputs[0] in origins:
            origin, size = origins[node.inputs[0]], int(node.layer.config["input_dim"])
            found[origin] = min(size, found.get(origin, size))
    return found


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]
