"""What Keras itself says of a model, against what is read from the files that it saves.

Names, roles, shapes, values.
"""

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import FIXTURES

from weightbridge import formats
from weightbridge.model.graph import LayerGraph

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]  # Keras with numpy 2
NAMES = (
    "attention",
    "convolutions",
    "custom",
    "nested",
    "normalized",
    "one_dimension",
    "operations",
    "recurrent",
    "sequential",
    "shared",
)
SUFFIXES = (".keras", ".weights.h5", ".h5")
CELL = re.compile(r"(\w*_)?cells?(_\d+)?")


@pytest.fixture(scope="module")
def zoo() -> Any:
    sys.path.insert(0, str(FIXTURES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import zoo
    return zoo


def _save(model: Any, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    return path


def _weights(model: Any, keras: Any, prefix: str = "") -> dict[str, Any]:
    """{layer/weight: value}: nested models by their scopes, cells only where a layer has several."""
    values: dict[str, Any] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            values |= _weights(layer, keras, f"{prefix}{layer.name}/")
        else:
            weights = [weight for weight in layer.weights if "float" in str(weight.dtype)]
            values |= {_name(w, layer.name, prefix): keras.ops.convert_to_numpy(w) for w in weights}
    return values


def _name(weight: Any, layer: str, prefix: str) -> str:
    *scope, last = weight.path.split(f"{layer}/", 1)[-1].split("/")
    inside = [part for part in scope if not CELL.fullmatch(part)]
    return "/".join([f"{prefix}{layer}", *inside, last])


def _read(zoo: Any, name: str, suffix: str, folder: Path) -> tuple[Any, LayerGraph]:
    model = zoo.build(name)
    return model, formats.read(_save(model, folder / f"{name}{suffix}"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NAMES)
def test_names_values_and_roles_are_keras_own(zoo: Any, tmp_path: Path, name: str, suffix: str) -> None:
    model, graph = _read(zoo, name, suffix, tmp_path)
    wanted = _weights(model, zoo.keras)
    found = {t.name: t.load() for t in graph.tensors}
    if name == "custom":  # a weight that only the code names
        wanted, found = _with_one_name(wanted), _with_one_name(found)
    assert sorted(found) == sorted(wanted)
    assert all(np.array_equal(found[k], wanted[k]) for k in wanted)
    if name != "custom":
        assert all(t.role == t.name.rsplit("/", 1)[-1] for t in graph.tensors if t.name != "rms/scale")


def _with_one_name(values: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"/(gain|gamma|0)$", "/gain", name): value for name, value in values.items()}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_edges(zoo: Any, tmp_path: Path, name: str, suffix: str) -> None:
    model, graph = _read(zoo, name, suffix, tmp_path)
    assert graph.has_flow
    assert not {f.code for f in graph.findings} & {"WB102", "WB103", "WB105"}
    order = {layer.name: i for i, layer in enumerate(graph.layers)}
    assert all(order[edge.source] < order[edge.target] for edge in graph.edges)
    assert len(graph.inputs) == len(model.inputs)
    for layer in model.layers:
        if layer.name in graph.by_name and len(layer._inbound_nodes) == 1:
            _check_shape(layer, graph.by_name[layer.name].output_shape)
    if name in ("convolutions", "one_dimension", "recurrent", "sequential"):
        assert all(layer.output_shape is not None for layer in graph.layers)


def _check_shape(layer: Any, found: Any) -> None:
    """The shape of a graph's layer against Keras's own, where both are known."""
    shape = getattr(getattr(layer, "output", None), "shape", None)
    if shape is not None and found is not None and None not in found:
        assert all(n in (None, m) for n, m in zip(shape[1:], found, strict=True)), layer.name


@pytest.mark.parametrize("name", NAMES)
def test_json_has_the_shapes_that_the_weights_have(zoo: Any, tmp_path: Path, name: str) -> None:
    model, graph = _read(zoo, name, ".keras", tmp_path)
    path = tmp_path / "model.json"
    path.write_text(model.to_json())
    expected = {t.name: t.shape for t in formats.read(path).tensors}
    stored = {t.name: t.shape for t in graph.tensors}
    assert {k: v for k, v in stored.items() if k in expected} == expected
    assert name == "custom" or len(expected) >= len(stored) - 4


LOADED = [
    (n, s) for n in NAMES for s in SUFFIXES if (n, s) not in (("operations", ".h5"), ("shared", ".h5"))
]  # Keras cannot read these


@pytest.mark.parametrize(("name", "suffix"), LOADED)
def test_keras_loads_what_is_written(zoo: Any, tmp_path: Path, name: str, suffix: str) -> None:
    model, template = _read(zoo, name, suffix, tmp_path)
    other = zoo.build(name, seed=1)
    source = formats.read(_save(other, tmp_path / f"other{suffix}"))
    values = {t.name: t.load() for t in source.tensors}
    output = tmp_path / f"out{suffix}"
    formats.write(template, output, ((t, values[t.name]) for t in template.tensors))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if suffix == ".weights.h5":
            model.load_weights(output)
        else:
            model = zoo.keras.models.load_model(output, compile=False)
    pairs = [(a, b) for a, b in zip(model.weights, other.weights, strict=True) if "float" in str(a.dtype)]
    assert all(np.array_equal(a.value.numpy(), b.value.numpy()) for a, b in pairs)


def test_state_is_excluded(zoo: Any, tmp_path: Path) -> None:
    model = zoo.build("sequential")
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 7), "int32"), np.ones((4, 2)), verbose=0)
    for suffix in (".keras", ".h5"):
        graph = formats.read(_save(model, tmp_path / f"m{suffix}"))
        assert len(graph.tensors) == 6
        assert "optimizer" in {e.reason for e in graph.excluded}
        assert not graph.findings


def test_shards(zoo: Any, tmp_path: Path) -> None:
    model = zoo.build("convolutions")
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=1e-6)
    assert len(list(tmp_path.glob("*.h5"))) > 1
    found = {t.name: t.load() for t in formats.read(tmp_path / "m.weights.json").tensors}
    wanted = _weights(model, zoo.keras)
    assert sorted(found) == sorted(wanted)
    assert all(np.array_equal(found[k], wanted[k]) for k in wanted)
