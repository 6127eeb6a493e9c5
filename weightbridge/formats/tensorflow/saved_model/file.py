"""TensorFlow's SavedModel folders, as Keras 2 saves, Keras 3 exports and TensorFlow 1 made them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from weightbridge.errors import (
    Corrupt,
    OutputError,
    Unsupported,
)
from weightbridge.formats.keras.architecture.config import ConfigLayer, parse_model
from weightbridge.formats.keras.architecture.dialects import Origin, normalised
from weightbridge.formats.keras.model import custom_finding, custom_name, graph_of_model
from weightbridge.formats.keras.variables.loose import chain
from weightbridge.formats.left_out import CONSTANTS, left_out
from weightbridge.formats.opening import placed
from weightbridge.formats.tensorflow.bundle.read import Bundle
from weightbridge.formats.tensorflow.checkpoint.file import excluded
from weightbridge.formats.tensorflow.checkpoint.layers import layers_of
from weightbridge.formats.tensorflow.checkpoint.names import Named
from weightbridge.formats.tensorflow.graphs.read import Traced, flow, traced
from weightbridge.formats.tensorflow.saved_model.flow import stored_tensors, with_flow
from weightbridge.formats.tensorflow.saved_model.folder import (
    DAMAGED,
    METADATA,
    Stored,
    files,
    inside,
    mapped,
    parsed,
    stored_in,
)
from weightbridge.formats.tensorflow.saved_model.graph_def import constants_graph, unread_constants
from weightbridge.formats.tensorflow.saved_model.keras import (
    Objects,
    SavedStore,
    decoded,
    is_layer,
    top_layers,
    tree_of,
)
from weightbridge.formats.tensorflow.saved_model.loose import graph_of_parts
from weightbridge.formats.tensorflow.saved_model.proto import (
    MetaGraph,
    parse_keras_metadata,
)
from weightbridge.formats.tensorflow.tracked import Tracked
from weightbridge.formats.wire import Buffer
from weightbridge.model.graph import Excluded, LayerGraph
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Array, Tensor
from weightbridge.rules.dialects import version_of

FORMAT = "saved-model"


def read(path: Path) -> LayerGraph:
    """path: the folder, or the `saved_model.pb` in it. Raises a ModelError."""
    folder, meta, data = parsed(path)
    return _placed(path, folder, meta, _graph(path, folder, meta, data))


def read_signature(path: Path) -> LayerGraph:
    """What the serving signature computes, whatever Keras's metadata say of layers. Raises a ModelError."""
    folder, meta, data = parsed(path)
    stored = stored_in(folder)
    graph = flow(path, FORMAT, _traced(path, folder, meta, data, stored))
    if stored is not None:
        graph = _with_left_over(graph, stored.bundle, stored.named, ())
    return _placed(path, folder, meta, graph)


def opened(path: Path) -> tuple[Traced, Buffer]:
    """What the serving signature computes, and the graph's bytes. Raises a ModelError."""
    folder, meta, data = parsed(path)
    return _traced(path, folder, meta, data, stored_in(folder)), data


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Array]]) -> None:
    """SavedModels are read only."""
    raise OutputError(
        "SavedModels are read only", where=template.path, fix="Choose an OUTPUT that ends with .safetensors"
    )


def _traced(path: Path, folder: Path, meta: MetaGraph, data: Buffer, stored: Stored | None) -> Traced:
    if meta.graph is None:
        raise Unsupported("a SavedModel without a graph", where=str(folder), fix=DAMAGED)
    tensors = stored_tensors(stored.bundle, stored.named) if stored else {}
    return traced(path, data, meta.graph, meta.signatures, tensors)


def _placed(path: Path, folder: Path, meta: MetaGraph, graph: LayerGraph) -> LayerGraph:
    """The graph with what made it, and the files that it was read from."""
    producer = graph.producer or f"tensorflow {meta.version}".strip()
    beside = [] if path.is_dir() else [str(file) for file in files(folder) if file != path]
    return replace(graph, path=str(path), producer=producer, files=tuple(beside))


def _graph(path: Path, folder: Path, meta: MetaGraph, data: Buffer) -> LayerGraph:
    stored = stored_in(folder)
    if stored is None:
        return with_flow(path, data, meta, {}, constants_graph(path, FORMAT, data, meta.graph))
    bundle, tracked, named = stored
    graph = _of_variables(path, _objects(folder, meta, tracked, bundle), stored)
    constants: tuple[Excluded, ...] = ()
    if graph is None:
        graph = constants_graph(path, FORMAT, data, meta.graph)
    else:
        constants = unread_constants(path, data, meta.graph)
    if graph.architecture is None and not graph.findings:
        graph = with_flow(path, data, meta, stored_tensors(bundle, named), graph)
    constants = () if graph.framework == "onnx" else constants  # what it does not read, other functions do
    return _with_left_over(graph, bundle, named, constants)


def _with_left_over(
    graph: LayerGraph, bundle: Bundle, named: Sequence[Named], constants: tuple[Excluded, ...]
) -> LayerGraph:
    """The graph with all that no layer holds."""
    used = {tensor.key for tensor in graph.tensors} | set(graph.tensor_by_name)
    unused = [variable for variable in named if used.isdisjoint((variable.key, variable.name))]
    no_weights = [variable._replace(reason=variable.reason or "state") for variable in unused]
    beside = left_out([entry.name for entry in constants], CONSTANTS)
    entries = (*graph.excluded, *excluded(bundle, no_weights), *constants)
    return replace(graph, excluded=entries, findings=(*graph.findings, *beside))


def _of_variables(path: Path, objects: Objects, stored: Stored) -> LayerGraph | None:
    """The layers whose weights are variables; None where no variable is a weight."""
    if 0 in objects.metadata and is_layer(objects.nodes[0]):
        return _keras(path, objects, stored.bundle)
    if all(variable.reason is not None for variable in stored.named):
        return None
    return _by_names(path, stored.bundle, stored.named, has_objects=bool(stored.tracked))


def _by_names(path: Path, bundle: Bundle, named: Iterable[Named], *, has_objects: bool) -> LayerGraph:
    weights = [variable for variable in named if variable.reason is None]
    layers = layers_of(bundle, weights, is_sorted=not has_objects)
    if not layers:
        raise Corrupt(
            "the SavedModel holds no weights", where=str(path), fix="Build the model before it is saved"
        )
    return LayerGraph(
        path=str(path),
        format=FORMAT,
        framework="keras",
        layers=with_axes(layers, "keras"),
        edges=chain(layers),
    )


def _keras(path: Path, objects: Objects, bundle: Bundle) -> LayerGraph:
    """As the .h5 of the same model; a custom model has no data flow, but its layers have configs."""
    root = objects.metadata[0]
    text = str(root.get("keras_version", "2"))
    version = version_of(text)
    value = {key: root.get(key) for key in ("class_name", "config", "name")}
    where = f"{path}: Keras's metadata"
    origin = Origin(version, str(root.get("backend", "tensorflow")))
    model, findings = normalised(parse_model(value, where), origin, where)
    is_tensorflow = text.endswith("-tf") or version[:1] == (2,)
    producer = f"tf.keras {text}" if is_tensorflow else f"keras {text}"
    if model.kind == "layer":
        graph = graph_of_parts(path, FORMAT, objects, bundle, Origin(version, "tensorflow"))
        custom = custom_finding(custom_name(_as_custom(model)), [model.name])
        return replace(graph, producer=producer, findings=(custom, *graph.findings))
    tree = tree_of(objects, bundle, top_layers(objects))
    return graph_of_model(path, FORMAT, producer, model, partial(SavedStore, tree, bundle), findings)


def _as_custom(model: ConfigLayer) -> ConfigLayer:
    return replace(model, module="") if not model.registered else model


def _objects(folder: Path, meta: MetaGraph, tracked: tuple[Tracked, ...], bundle: Bundle) -> Objects:
    """The objects, the keys of variables, and the metadata, which may lie in a file of its own."""
    texts = {i: node.metadata for i, node in enumerate(meta.objects) if node.metadata}
    file = inside(folder, METADATA)
    if file.is_file():
        with placed(file, DAMAGED):
            texts |= parse_keras_metadata(mapped(file))
    metadata = {i: decoded(text, f"{folder}: object {i}") for i, text in texts.items()}
    return Objects(meta.objects, metadata, _keys(meta.objects, tracked, bundle))


def _keys(objects: tuple[Tracked, ...], tracked: tuple[Tracked, ...], bundle: Bundle) -> dict[int, str]:
    """The key of each variable: both graphs are walked side by side, by the names of children."""
    if not objects or not tracked:
        return {}
    keys = {}
    seen = {0}
    stack = [(0, 0)]
    while stack:
        number, twin = stack.pop()
        if tracked[twin].key in bundle.entries:
            keys[number] = tracked[twin].key
        for pair in _common_children(objects[number], tracked[twin]):
            if pair[0] not in seen:
                seen.add(pair[0])
                stack.append(pair)
    return keys


def _common_children(saved: Tracked, stored: Tracked) -> list[tuple[int, int]]:
    """What both hold by the same name, as pairs of numbers."""
    named = dict(stored.children)
    return [(child, named[name]) for name, child in saved.children if name in named]
