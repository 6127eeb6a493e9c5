"""A Keras model -> the ONNX graph of the same model, layer by layer in the order of data flow."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.to_onnx.arrange import arranged
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.described import settings_of, shape_of
from weightbridge.converting.to_onnx.functions.names import operation_name
from weightbridge.converting.to_onnx.idle import constants_read, read_alone
from weightbridge.converting.to_onnx.scopes import Scopes, scopes_of
from weightbridge.converting.to_onnx.sequences.timesteps import folded
from weightbridge.converting.to_onnx.table import BY_CLASS, BY_OP, BY_OPERATION
from weightbridge.converting.to_onnx.values import Drawn, Settings, Value, channels_first, straight
from weightbridge.converting.to_onnx.writer import Writer
from weightbridge.errors import Unsupported
from weightbridge.errors.diagnostics import listed
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.flow import Flow, Node, Source, flow_of
from weightbridge.formats.keras.graph import op_of
from weightbridge.formats.keras.variables.tree import is_custom
from weightbridge.formats.onnx.emit.values import ELEMENT_TYPES, Drawing
from weightbridge.formats.onnx.proto import ValueInfo
from weightbridge.model.graph import Layer, LayerGraph

BY_TF2ONNX = "convert it with --engine tf2onnx"
BEHIND = "convert the model behind it: keras.Model(its output, model.outputs), fed with what it gives"
# what no engine writes: text, look-ups, hashes
OF_WORDS = frozenset(
    {
        *("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing"),
    }
)
SHOWN = 10
IMAGES = (4, 5)  # ranks of inputs that --input-layout turns


@dataclass
class _Progress:
    """What has been drawn: the outputs of each node, and what could not be."""

    values: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def drawn(graph: LayerGraph, settings: Settings) -> Drawn:
    """Raises Unsupported (WB107) with every layer that the writer does not know."""
    tree = graph.architecture
    assert isinstance(tree, ConfigLayer), f"{graph.path} has no architecture"
    flow = flow_of(tree, graph.path)
    _refuse_unknown(flow, graph.path)
    writer, done = Writer(settings.opset), _Progress()
    scopes = scopes_of(flow.nodes)
    for node in flow.nodes:
        if node.op == "Input":
            done.values[node.name] = (_input(writer, node, settings),)
        elif node.name not in scopes.both_ways:
            done.values[node.name] = _layer(writer, scopes.outside(node), graph, done, scopes)
    outputs = _outputs(writer, flow, done)
    nodes = read_alone(writer.nodes, {info.name for info in outputs}, writer.weights)
    drawing = Drawing(
        name=tree.name or Path(graph.path).stem,
        opset=settings.opset,
        nodes=nodes,
        initializers=constants_read(writer.initializers, nodes, writer.weights),
        inputs=_in_order(writer, tree, done),
        outputs=outputs,
    )
    return Drawn(drawing, writer.weights)


def _in_order(writer: Writer, tree: ConfigLayer, done: _Progress) -> tuple[ValueInfo, ...]:
    """The inputs as the model lists them, which need not be the order of its layers."""
    told = [name for name in _names_in(tree.config.get("input_layers")) if name in done.values]
    names = [done.values[name][0].name for name in told]
    return tuple(sorted(writer.inputs, key=lambda info: names.index(info.name) if info.name in names else -1))


def _names_in(told: Any) -> list[str]:
    """[["a", 0, 0], ["b", 0, 0]] -> a, b"""
    if isinstance(told, Mapping):
        told = list(told.values())
    if not isinstance(told, list | tuple):
        return []
    return [told[0]] if told and isinstance(told[0], str) else [n for one in told for n in _names_in(one)]


def builder_of(node: Node) -> Builder | None:
    operation = operation_name(node.layer)
    if operation is not None:
        return BY_OPERATION.get(operation)
    if node.layer.class_name in BY_CLASS and not node.op:
        return BY_CLASS[node.layer.class_name]
    return BY_OP.get(op_of(node))


def _refuse_unknown(flow: Flow, where: str) -> None:
    unknown = {
        n.owner: n.layer.registered or n.layer.class_name
        for n in flow.nodes
        if n.op != "Input" and (builder_of(n) is None or _is_custom(n))
    }
    if unknown:
        names = listed([f"{name} ({class_name})" for name, class_name in unknown.items()], SHOWN)
        fix = BEHIND if OF_WORDS & set(unknown.values()) else BY_TF2ONNX
        raise Unsupported(f"layers that have no ONNX of their own here: {names}", where=where, fix=fix)


def _is_custom(node: Node) -> bool:
    return is_custom(node) and not node.op and operation_name(node.layer) is None


def _input(writer: Writer, node: Node, settings: Settings) -> Value:
    told = node.layer.config.get("batch_shape", node.layer.config.get("batch_input_shape"))
    if not isinstance(told, list | tuple):
        raise Unsupported(f"the input {node.name} does not say its shape", fix=BY_TF2ONNX)
    shape = tuple(None if n is None else int(n) for n in told)
    dtype = str(node.layer.config.get("dtype") or "float32")
    dtype = dtype if dtype in ELEMENT_TYPES else "float32"
    is_turned = settings.input_layout == "nchw" and len(shape) in IMAGES
    order = channels_first(len(shape)) if is_turned else straight(len(shape))
    name = writer.input(node.name, [shape[axis] for axis in order], dtype)
    return Value(name, shape, order, dtype)


def _layer(
    writer: Writer, node: Node, graph: LayerGraph, done: _Progress, scopes: Scopes
) -> tuple[Value, ...]:
    writer.begin(node.name)
    inputs = tuple(_entering(writer, node, source, done, scopes) for source in node.sources)
    steps = scopes.fed_to(node)
    settings = settings_of(node, [value.shape for value in inputs])
    call = Call(
        writer=writer,
        node=node,
        source=graph,
        settings=settings,
        layer=_owner(graph, node),
        inputs=inputs,
        keywords=tuple(source.keyword for source in node.sources),
        shape=shape_of(node, settings, [value.shape for value in inputs]),
        steps=None if steps is None else _entering(writer, node, steps, done, scopes),
        parts=tuple(done.values[part] for part in node.parts if part in done.values),
        is_direction=scopes.is_direction(node),
    )
    return writer.end(_given(call, graph.path))


def _given(call: Call, where: str) -> tuple[Value, ...]:
    builder = builder_of(call.node)
    assert builder is not None, f"{call.node.name} has a builder"
    try:
        given = builder(call)
    except Unsupported as error:
        fix = error.fix or BY_TF2ONNX
        raise Unsupported(error.message, where=error.where or where, fix=fix) from error
    given = given if isinstance(given, tuple) else (given,)
    if operation_name(call.node.layer) is None:
        return given
    return tuple(value.named(value.name, mask=None) for value in given)  # no function hands a mask on


def _entering(writer: Writer, node: Node, source: Source, done: _Progress, scopes: Scopes) -> Value:
    """A value with the steps of each wrapper that it comes into in the batch."""
    value = _fed(done.values, source)
    for _ in range(scopes.entered(node, source)):
        value = folded(writer, value)
    return value


def _fed(values: Mapping[str, tuple[Value, ...]], source: Source) -> Value:
    outputs = values[source.node]
    return outputs[min(source.port, len(outputs) - 1)]


def _owner(graph: LayerGraph, node: Node) -> Layer:
    """The layer that has the weights: of a shared one the first call's."""
    layer = graph.by_name[node.owner]
    shared = layer.attributes.get("shared_with")
    return graph.by_name.get(str(shared), layer) if shared and not layer.tensors else layer


def _outputs(writer: Writer, flow: Flow, done: _Progress) -> tuple[ValueInfo, ...]:
    """Named after the layers that give them, with the axes as Keras has them."""
    infos: list[ValueInfo] = []
    wanted: dict[str, str] = {}
    for source, told in zip(flow.outputs, _names(flow), strict=True):
        value = _fed(done.values, source)
        writer.begin(f"{source.node}/output")
        name = _output(writer, value, wanted)
        wanted[name] = told
        infos.append(ValueInfo(wanted[name], ELEMENT_TYPES[value.dtype], value.shape))
    writer.rename(wanted)
    return tuple(infos)


def _output(writer: Writer, value: Value, taken: Iterable[str]) -> str:
    """Its name, of a value that is no input and no other output."""
    turned = arranged(writer, value, straight(value.rank))
    made = {name for node in writer.nodes for name in node.outputs}
    if turned.name in taken or turned.name not in made:
        turned = turned.named(writer.op("Identity", turned.name))
    return writer.end((turned,))[0].name


def output_names(graph: LayerGraph) -> tuple[str, ...]:
    """What the outputs of an ONNX file of this model are called."""
    return _names(flow_of(graph.architecture, graph.path))


def _names(flow: Flow) -> tuple[str, ...]:
    """The layers' names; a number behind it for a further output, a stroke where one comes again.

    An input that a model gives again is another value of the graph.
    """
    inputs = {node.name for node in flow.nodes if node.op == "Input"}
    names: list[str] = []
    for source in flow.outputs:
        name = f"{source.node}_{source.port}" if source.port else source.node
        while name in names or name in inputs:
            name += "_"
        names.append(name)
    return tuple(names)
