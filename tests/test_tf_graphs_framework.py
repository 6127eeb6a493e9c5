"""SavedModels without Keras's metadata and frozen graphs, as TensorFlow writes them today."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_models import MODELS, made

import weightbridge as wb
from weightbridge import formats

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # of TensorFlow and Keras
WRITTEN = ("exported", "module", "frozen.pb")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    for name in MODELS:
        _write(folder / name, made(name))
    return folder


def _write(folder: Path, model: Any) -> None:
    """Keras 3's export, a module of TensorFlow that holds the model, a frozen graph."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    folder.mkdir()
    model.save(folder / "model.keras")
    model.export(folder / "exported", verbose=False)
    spec = tf.TensorSpec((None, *model.inputs[0].shape[1:]), model.inputs[0].dtype, name="x")
    module = tf.Module()
    module.model = model
    module.serve = tf.function(model, input_signature=[spec])
    tf.saved_model.save(module, str(folder / "module"), signatures=module.serve)
    frozen = convert_variables_to_constants_v2(module.serve.get_concrete_function()).graph
    (folder / "frozen.pb").write_bytes(frozen.as_graph_def().SerializeToString())


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", MODELS)
def test_its_layers_have_data_flow_and_the_model_s_weights(files: Path, name: str, written: str) -> None:
    source, target = wb.read(files / name / written), wb.read(files / name / "model.keras")
    assert source.has_flow
    assert not [layer.name for layer in source.layers if layer.op == "Opaque"]
    plan = wb.check(files / name / written, files / name / "model.keras").plan
    assert plan is not None
    assert [step.kind for step in plan.steps] == ["copy"] * len(target.tensors)
    for step in plan.steps:
        given, own = source.tensor_by_name[step.sources[0]].load(), target.tensor_by_name[step.target].load()
        assert np.array_equal(given, own), step.target


@pytest.mark.parametrize("written", WRITTEN)
def test_attributes_are_those_of_the_model(files: Path, written: str) -> None:
    report = wb.check(files / "images" / written, files / "images" / "model.keras")
    assert not [f for f in report.findings if f.severity != "note"]


@pytest.mark.parametrize("written", WRITTEN)
def test_it_becomes_a_keras_model_that_computes_the_same(files: Path, tmp_path: Path, written: str) -> None:
    report = wb.convert(files / "images" / written, tmp_path / "m.keras")
    assert report.verification is not None
    assert report.verification.evidence["reference"] == "TensorFlow"
    assert wb.verify(files / "images" / "model.keras", tmp_path / "m.keras").ok


def test_a_wrong_weight_is_noticed(files: Path, tmp_path: Path) -> None:
    graph = wb.read(files / "series" / "frozen.pb")
    kernel = max(graph.tensors, key=lambda t: t.size)
    stored, changed = kernel.load(), kernel.load().copy()
    changed[..., 0] *= 1.01
    data = (files / "series" / "frozen.pb").read_bytes()
    assert data.count(stored.tobytes()) == 1
    (tmp_path / "wrong.pb").write_bytes(data.replace(stored.tobytes(), changed.tobytes()))
    report = wb.verify(files / "series" / "model.keras", tmp_path / "wrong.pb")
    assert "WB401" in [f.code for f in report.findings]


def test_a_graph_that_may_do_more_than_compute_is_not_run(tmp_path: Path) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 2), name="x")
        tf.raw_ops.MatMul(a=x, b=tf.constant([[1.0, 2.0], [3.0, 4.0]]), name="y")
        tf.io.write_file(str(tmp_path / "written"), tf.constant("text"))
        content = tf.raw_ops.ReadFile(filename=str(tmp_path / "secret"), name="read")
        tf.strings.length(content, name="length")
    path = tmp_path / "m.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(wb.WeightbridgeError, match="not known to compute alone") as raised:
        formats.runner(path)
    assert raised.value.where == str(path)
    assert not (tmp_path / "written").exists()
