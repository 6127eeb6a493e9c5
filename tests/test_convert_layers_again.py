"""Keras -> ONNX -> Keras -> ONNX, layer class by layer class: the same classes, nodes and numbers again."""

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import randomised
from round_trip_models import all_cases

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
# what ONNX has no node for: these act in training alone, or an input is none of theirs
GONE = frozenset(
    {"Dropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "InputLayer"}
)
SEVERAL = frozenset({"Sequential", "Functional"})


def classes(path: Path) -> Counter[str]:
    """As the configuration has them, those within wrappers and models too."""
    with zipfile.ZipFile(path) as archive:
        return Counter(_classes(json.loads(archive.read("config.json"))))


def _classes(entry: dict[str, Any]) -> list[str]:
    config, name = entry["config"], entry["class_name"]
    inside = [
        *config.get("layers", []),
        *([config["layer"]] if isinstance(config.get("layer"), dict) else []),
    ]
    own = [] if name in GONE | SEVERAL else [name]
    return own + [found for one in inside for found in _classes(one)]


def nodes(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def outputs(path: Path) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {one.name: _values(one) for one in session.get_inputs()})
    return found


def _values(info: Any) -> np.ndarray:
    generator = np.random.default_rng(0)
    shape = [length if isinstance(length, int) else 4 if n else 2 for n, length in enumerate(info.shape)]
    if "bool" in info.type:
        return generator.random(shape) < 0.7
    if "int" in info.type:
        return generator.integers(0, 3, shape).astype("int32")
    drawn = generator.normal(size=shape) * (generator.random(shape[:2] + [1] * (len(shape) - 2)) < 0.7)
    return drawn.astype("float32")


def there_and_back(build: Any, folder: Path) -> tuple[Path, Path, Path, Path]:
    first = folder / "a.keras"
    randomised(build()).save(first)
    made = [folder / name for name in ("a.onnx", "b.keras", "b.onnx")]
    for source, target in zip([first, *made], made, strict=False):
        wb.convert(source, target, verify=False)
    return first, *made


def differences(build: Any, folder: Path) -> str:
    """What is otherwise after the way there and back; "" for nothing."""
    first, first_onnx, second, second_onnx = there_and_back(build, folder)
    if classes(first) != classes(second):
        return f"{dict(classes(first) - classes(second))} -> {dict(classes(second) - classes(first))}"
    if nodes(first_onnx) != nodes(second_onnx):
        return f"nodes {nodes(first_onnx)} -> {nodes(second_onnx)}"
    pairs = zip(outputs(first_onnx), outputs(second_onnx), strict=True)
    error = max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6)) for a, b in pairs)
    return "" if error < 1e-5 else f"numbers differ by {error:.2g}"


def test_every_layer_comes_back(tmp_path: Path) -> None:
    """All that do not are named together."""
    found = {}
    for name, build in all_cases().items():
        folder = tmp_path / name
        folder.mkdir()
        try:
            different = differences(build, folder)
        except wb.WeightbridgeError as error:
            different = str(error)
        if different:
            found[name] = different
    assert found == {}
