"""A Keras model's JSON: an architecture without weights. Shapes are known where it tells enough; loading
raises.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from weightbridge.errors import Corrupt, OutputError
from weightbridge.errors.diagnostics import finding
from weightbridge.formats.containers import whole
from weightbridge.formats.keras.architecture.config import parse_json, parse_model
from weightbridge.formats.keras.architecture.dialects import Origin, normalised
from weightbridge.formats.keras.architecture.expected import ExpectedStore
from weightbridge.formats.keras.model import graph_of_model
from weightbridge.formats.keras.variables.vocabularies import with_vocabularies
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.rules.dialects import version_of

FIX = "Give the file with the weights (.weights.h5, .h5), or save the whole model as .keras"
LARGEST = 256 << 20


def read(path: Path) -> LayerGraph:
    """Raises Corrupt for JSON that is no model's config."""
    region = whole(path)
    if region.size > LARGEST:
        raise Corrupt(
            f"{region.size} bytes of JSON are no configuration",
            where=str(path),
            fix="Check what this file is",
        )
    value = parse_json(path.read_bytes(), str(path))
    value = parse_json(value, str(path)) if isinstance(value, str) else value
    version = version_of(value.get("keras_version")) if isinstance(value, dict) else ()
    model = parse_model(value, str(path))
    version = version or ((3,) if model.module else (2,))
    model, findings = normalised(model, Origin(version, str(value.get("backend", ""))), str(path))
    if model.kind == "layer":
        raise Corrupt(
            f"the configuration is of a single {model.class_name} and no model",
            where=str(path),
            fix="Give a model's JSON",
        )
    graph = graph_of_model(
        path,
        "keras-json",
        f"keras {'.'.join(map(str, version))}",
        model,
        lambda _: ExpectedStore(str(path)),
        findings,
    )
    missing = finding(
        "WB105",
        f"a Keras JSON holds an architecture and none of its weights: {len(graph.tensors)} tensors",
        fix=FIX,
    )
    layers = with_vocabularies(graph.layers, {}, {layer.name: "" for layer in graph.layers})
    return replace(graph, layers=layers, findings=(*graph.findings, missing))


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Array]]) -> None:
    """An architecture has no place for weights."""
    raise OutputError(
        "a Keras JSON holds no weights",
        where=template.path,
        fix="Give a .keras, .h5 or .weights.h5 file as target",
    )
