"""The legacy HDF5 layout of Keras 1, 2, tf.keras and 3: whole models (`model_config`) and weights alone
(`layer_names`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from weightbridge.errors import Corrupt
from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.errors.diagnostics import listed as listed_names
from weightbridge.formats.containers import whole
from weightbridge.formats.hdf5.read import read_tree
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.hdf5.write import is_summed as in_place
from weightbridge.formats.hdf5.write import patched_copy
from weightbridge.formats.keras.architecture.branches import named_by_file
from weightbridge.formats.keras.architecture.config import parse_json, parse_model
from weightbridge.formats.keras.architecture.dialects import Origin, normalised, weight_findings
from weightbridge.formats.keras.architecture.flow import Flow
from weightbridge.formats.keras.model import custom_finding, custom_name, graph_of_model
from weightbridge.formats.keras.variables.groups import is_state
from weightbridge.formats.keras.variables.legacy import LegacyStore, listed
from weightbridge.formats.keras.variables.legacy_kernels import with_old_kernels
from weightbridge.formats.keras.variables.loose import chain, stored_layers, unique
from weightbridge.formats.keras.variables.quantised import with_effective
from weightbridge.formats.keras.variables.tensors import datasets_of, tensor_of
from weightbridge.formats.keras.variables.vocabularies import with_vocabularies
from weightbridge.formats.left_out import left_out
from weightbridge.formats.streamed import Value
from weightbridge.model.graph import Excluded, Layer, LayerGraph, Order
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Tensor
from weightbridge.rules.dialects import version_of

KERAS_2 = (2,)
WEIGHTS = "model_weights"
NO_FLOW = Flow((), (), ())
LORA, SHOWN = "lora_", 3
SCOPES = 2  # slashes in the names of layers that only scopes tell apart


def read(path: Path) -> LayerGraph:
    """The format is `keras-h5` where there is an architecture, else `keras-h5-weights`."""
    root = read_tree(whole(path))
    group = root.group(WEIGHTS) or root
    text = root.attributes.get("model_config")
    graph = _weights(path, root, group) if text is None else _model(path, root, group, text)
    return with_effective(_completed(graph, root, group))


def read_as(path: Path, config: Any, version: tuple[int, ...]) -> LayerGraph:
    """A file's weights as those of a configuration that lies elsewhere, in Keras's own order.

    version: of the Keras that wrote the configuration.
    """
    root = read_tree(whole(path))
    group = root.group(WEIGHTS) or root
    origin = _origin(root, group)
    graph = _of_config(path, root, group, config, replace(origin, version=version))
    return with_effective(_completed(graph, root, group))


def _completed(graph: LayerGraph, root: Group, group: Group) -> LayerGraph:
    """With the order of the file, and with what in it is no weight."""
    order = {t.key: t.name for t in graph.tensors}
    foreign = [d.path for d in root.datasets() if d.path not in order and _looks_like_a_weight(d)]
    return replace(
        graph,
        stored_order=tuple(order[k] for k in _keys(group) if k in order),
        excluded=_excluded(root, graph),
        findings=(*graph.findings, *left_out(foreign), *_apart(graph)),
    )


def _apart(graph: LayerGraph) -> Iterable[Finding]:
    """What LoRA adds to a kernel stands beside it in this layout; a .keras file holds their sum."""
    names = [layer.name for layer in graph.layers if any(t.role.startswith(LORA) for t in layer.tensors)]
    if names:
        message = "layers hold LoRA's factors apart from their kernels, which are not added: "
        message += listed_names(names, SHOWN)
        fix = "Save the model as .keras, which adds them, and give that file"
        yield with_severity(finding("WB109", message, source=names[0], fix=fix), "error")


def _looks_like_a_weight(dataset: Dataset) -> bool:
    """Of an array that no layer has: a matrix of floats that is no optimizer's."""
    is_matrix = len(dataset.shape) > 1 and prod(dataset.shape) > 1
    is_state_of_training = is_state(dataset.path) or dataset.path.startswith("optimizer")
    return is_matrix and dataset.dtype.kind == "f" and not is_state_of_training


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Value]]) -> int | None:
    """The template's file with the given tensors replaced; all else stays as it is.

    The checksum of the file, where it is known.
    """
    return patched_copy(whole(Path(template.path)), output, values, datasets_of(template.tensors))


def is_summed(template: LayerGraph) -> bool:
    """Whether `write` tells the checksum of the file."""
    return in_place(datasets_of(template.tensors))


def _model(path: Path, root: Group, group: Group, text: Any) -> LayerGraph:
    where = f"{path}: model_config"
    if not isinstance(text, str):
        raise Corrupt("the attribute is no text", where=where, fix="Save the model again")
    return _of_config(path, root, group, parse_json(text, where), _origin(root, group))


def _of_config(path: Path, root: Group, group: Group, config: Any, origin: Origin) -> LayerGraph:
    where = f"{path}: model_config"
    told = named_by_file(parse_model(config, where), listed(group, "layer_names"))
    model, findings = normalised(told, origin, where)
    if model.kind == "layer":
        graph = _weights(path, root, group)
        return replace(
            graph, format="keras-h5", findings=(*findings, custom_finding(custom_name(model), [model.name]))
        )
    graph = graph_of_model(
        path, "keras-h5", _producer(root, group), model, partial(LegacyStore, group), findings
    )
    return replace(graph, layers=with_vocabularies(graph.layers, {}))


def _weights(path: Path, root: Group, group: Group) -> LayerGraph:
    origin = _origin(root, group)
    built = (
        layer
        for stored in LegacyStore(group, NO_FLOW).rest()
        for layer in stored_layers(stored, stored.name, tensor_of)
    )
    layers = unique(with_old_kernels(layer, origin) for layer in built)
    if not any(layer.tensors for layer in layers):
        raise Corrupt("the file holds no weights", where=str(path), fix="Build the model before it is saved")
    return LayerGraph(
        path=str(path),
        format="keras-h5-weights",
        framework="keras",
        producer=_producer(root, group),
        layers=with_axes(layers, "keras"),
        edges=chain(layers),
        order=order_of(layers),
        findings=weight_findings(origin),
    )


def order_of(layers: Sequence[Layer]) -> Order:
    """The model's, unless layers are told apart by the scopes of their variables alone.

    Weights of a model in code (Hugging Face's `tf_model.h5`) are all in one group.
    """
    are_scopes = all(layer.name.count("/") >= SCOPES for layer in layers if layer.tensors)
    return "none" if are_scopes else "list"


def _origin(root: Group, group: Group) -> Origin:
    """Keras 1 wrote no version at first; its own loader takes a file without one for its."""
    weights = tuple(
        n for name in listed(group, "layer_names") for n in listed(group.group(name), "weight_names")
    )
    version = version_of(_attribute(root, group, "keras_version")) or (1,)
    backend = _attribute(root, group, "backend")
    if (
        not backend and version < KERAS_2 and weights
    ):  # TensorFlow's variables have a colon in their names, Theano's have none
        backend = "tensorflow" if any(":" in name for name in weights) else "theano"
    return Origin(version, backend, weights)


def _producer(root: Group, group: Group) -> str:
    version = _attribute(root, group, "keras_version")
    return f"{'tf.' if version.endswith('-tf') else ''}keras {version}" if version else "keras 1"


def _attribute(root: Group, group: Group, name: str) -> str:
    found = root.attributes.get(name, group.attributes.get(name))
    return found if isinstance(found, str) else ""


def _keys(group: Group) -> Iterable[str]:
    """The storage paths of all weights in the order in which the file lists them."""
    for name in (*listed(group, "layer_names"), "top_level_model_weights"):
        inner = group.group(name)
        for weight in listed(inner, "weight_names"):
            found = inner.dataset(weight) if inner else None
            if found:
                yield found.path


def _excluded(root: Group, graph: LayerGraph) -> tuple[Excluded, ...]:
    """Optimizer state, random state and bookkeeping: every array that is no tensor of the graph."""
    tensors = {t.key for t in graph.tensors}
    left = [d for d in root.datasets() if d.path not in tensors]
    return tuple(
        Excluded(d.path, "optimizer" if d.path.startswith("optimizer") else "state", prod(d.shape))
        for d in left
    )
