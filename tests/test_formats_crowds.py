"""More nodes, operators or layers than can be read in bounded time are refused before they are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import test_formats_tf_graph as tf
import test_formats_tflite as tflite
from onnx import TensorProto, helper, save
from tflite_files import saved

import weightbridge as wb
from weightbridge.errors import ResourceBomb
from weightbridge.formats import crowds

LENGTH = 3  # of each model below, in nodes, operators or layers


def onnx_file(folder: Path) -> Path:
    values = [helper.make_tensor_value_info(f"v{i}", TensorProto.FLOAT, ["N", 4]) for i in (0, LENGTH)]
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(LENGTH)]
    save(helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:])), folder / "m.onnx")
    return folder / "m.onnx"


def config(folder: Path) -> Path:
    layers = [{"class_name": "ReLU", "config": {"name": f"relu_{i}"}} for i in range(LENGTH)]
    (folder / "m.json").write_text(json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))
    return folder / "m.json"


def frozen(folder: Path) -> Path:
    nodes = (tf.IMAGE, tf.constant("w", tf.KERNEL), tf.convolution("y", "x", "w"))
    return tf.saved(folder / "m.pb", tf.graph(*nodes))


def lite(folder: Path) -> Path:
    return saved(folder / "m.tflite", tflite.network())


@pytest.mark.parametrize("write", [onnx_file, config, frozen, lite], ids=lambda write: write.__name__)
def test_a_crowd_is_refused_and_one_less_is_read(
    write: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    assert wb.read(path).layers
    monkeypatch.setattr(crowds, "MOST", LENGTH)
    assert wb.read(path).layers
    monkeypatch.setattr(crowds, "MOST", LENGTH - 1)
    with pytest.raises(ResourceBomb, match="it has 3 "):
        wb.read(path)
