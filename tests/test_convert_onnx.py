"""convert to ONNX by the own writer: onnxruntime runs what was written, and it computes the same."""

import gc
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from onnx_models import randomised
from test_convert import converted, run

from weightbridge.boundary.garbage import USUAL, collect_seldom
from weightbridge.formats.frameworks import framework_module

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says


def convnet() -> Any:
    from keras import Input, Model, layers

    image = Input((18, 14, 3), name="image")
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="conv1")(image)
    x = layers.BatchNormalization(name="norm")(x)
    y = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="conv2")(x)
    z = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Add(name="add")([y, z])
    x = layers.Concatenate(name="join")([layers.ReLU(name="relu")(x), y])
    x = layers.ZeroPadding2D(((1, 0), (0, 2)), name="border")(x)
    mean = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Flatten(name="flat")(layers.AveragePooling2D(2, name="average")(x))
    x = layers.Dense(7, activation="gelu", name="hidden")(x)
    x = layers.Concatenate(name="both")([x, mean])
    return Model(image, layers.Dense(4, activation="softmax", name="classes")(x))


def any_size() -> Any:
    """Lengths that are not known, with strides and `same`."""
    from keras import Input, Model, layers

    image = Input((None, None, 3), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="down")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depth")(x)
    x = layers.SeparableConv2D(5, 3, dilation_rate=2, padding="same", activation="swish", name="apart")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="up")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="larger")(x)
    x = layers.AveragePooling2D(3, strides=2, padding="same", name="pool")(x)
    return Model(image, layers.Conv2D(2, 1, activation="sigmoid", name="mask")(x))


MODELS: dict[str, Callable[[], Any]] = {"convnet": convnet, "any-size": any_size}


def saved(build: Callable[[], Any], path: Path) -> Path:
    randomised(build()).save(path)
    return path


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", [(), ("--opset", "13"), ("--opset", "20", "--input-layout", "nchw")])
def test_it_computes_the_same(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    import onnx

    source, output = saved(MODELS[name], tmp_path / "model.keras"), tmp_path / "model.onnx"
    code, report = converted(source, output, *options)
    assert (code, report["findings"]) == (0, [])
    assert report["coverage"]["fraction"] == 1.0
    assert report["source"]["tensors"] == report["coverage"]["source_tensors_used"]
    model = onnx.load(output)
    onnx.checker.check_model(model, full_check=True)
    assert all(info.type.tensor_type.shape.dim[0].dim_param == "batch" for info in model.graph.input)


def test_names_and_batch_norms_stay(tmp_path: Path) -> None:
    import onnx

    output = tmp_path / "model.onnx"
    assert run(str(saved(convnet, tmp_path / "model.keras")), str(output), "--quiet", "--no-verify") == 0
    graph = onnx.load(output).graph
    nodes = {node.name: node.op_type for node in graph.node}
    assert {"conv1": "Conv", "norm": "BatchNormalization", "hidden": "Gemm"}.items() <= nodes.items()
    assert {"conv1/kernel", "norm/moving_mean", "classes/bias"} <= {t.name for t in graph.initializer}
    assert [info.name for info in (*graph.input, *graph.output)] == ["image", "classes"]
    assert sum(op == "Transpose" for op in nodes.values()) == 2


def _one_channel(value: Any) -> Any:
    value[..., 0] *= 1.01
    return value


def _flatten_order(value: Any) -> Any:
    return value.reshape(5, 4, 12, 7).transpose(2, 0, 1, 3).reshape(240, 7)


@pytest.mark.parametrize(
    ("tensor", "fault"), [("conv2/kernel", _one_channel), ("hidden/kernel", _flatten_order)]
)
def test_a_planted_fault_is_noticed(
    tensor: str, fault: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weightbridge.transfer import execute

    source, output = saved(convnet, tmp_path / "model.keras"), tmp_path / "model.onnx"
    loaded = execute._loaded

    def faulty(given: Any, step: Any, ledger: Any) -> Any:
        value = loaded(given, step, ledger)
        return fault(value.copy()) if given.name == tensor else value

    monkeypatch.setattr(execute, "_loaded", faulty)
    code, report = converted(source, output)
    assert (code, output.exists()) == (1, False)
    assert "WB401" in {found["code"] for found in report["findings"]}


def test_tf2onnx_writes_an_exact_gelu_that_runs(tmp_path: Path) -> None:
    """By itself it writes a node `Erfc`, which onnxruntime refuses."""
    import onnx

    source, output = saved(convnet, tmp_path / "model.keras"), tmp_path / "model.onnx"
    code, report = converted(source, output, "--engine", "tf2onnx", "--opset", "18")
    assert (code, report["findings"]) == (0, [])
    graph = onnx.load(output).graph
    assert [info.name for info in (*graph.input, *graph.output)] == ["image", "classes"]
    assert "Erfc" not in {node.op_type for node in graph.node}
    assert report["coverage"]["fraction"] > 0.99


def test_tf2onnx_leaves_none_of_its_graphs_in_memory(tmp_path: Path) -> None:
    """It copies the weights for every optimizer: ResNet50V2 of 94 MB took 10 GB."""
    from weightbridge.formats.onnx.engines import by_tf2onnx

    collect_seldom()  # as our command line begins
    framework_module("weightbridge.formats.onnx.engines.by_tf2onnx")
    usual = gc.get_threshold()
    by_tf2onnx.write(convnet(), tmp_path / "model.onnx", ["classes"], 18, False, {})
    left = [x for x in gc.get_objects() if type(x).__module__ == "tf2onnx.graph"]
    assert (left, gc.get_threshold(), gc.get_freeze_count()) == ([], usual, 0)
    assert usual[0] == USUAL


def test_tf2onnx_writes_what_our_writer_does_not_know(tmp_path: Path) -> None:
    """Its weights stand in a Loop, where nothing is matched: outputs alone prove it."""
    from keras import layers as k
    from onnx_models import chain

    def remembering() -> Any:
        scaled = k.Normalization(mean=[1.0, 2.0], variance=[0.5, 0.6])  # its numbers are no inputs
        return chain(
            (3, 6, 6, 2), scaled, k.ConvLSTM2D(3, 3, name="memory"), k.GlobalMaxPooling2D(name="most")
        )

    source, output = saved(remembering, tmp_path / "model.keras"), tmp_path / "model.onnx"
    code, report = converted(source, output, "--engine", "tf2onnx")
    assert (code, output.exists(), report["verification"]["mode"]) == (0, True, "actual")
    assert {found["severity"] for found in report["findings"]} == {"note"}


def translator() -> Any:
    """Sequences of any length, whose every step goes through one layer."""
    from keras import Input, Model, layers

    x, y = Input((None, 8), name="read"), Input((None, 7), name="said")
    _, state = layers.GRU(5, return_state=True)(x)
    steps = layers.GRU(5, return_sequences=True)(y, initial_state=state)
    return Model([x, y], layers.TimeDistributed(layers.Dense(3, activation="softmax"), name="word")(steps))


@pytest.mark.parametrize(
    ("is_mended", "ends"), [(True, (0, True)), (False, (4, False))], ids=["mended", "as-it-is"]
)
def test_tf2onnx_writes_steps_of_unknown_number(
    is_mended: bool, ends: tuple[int, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself it gives as many steps as there are sequences, which is refused also where nothing is run."""
    from weightbridge.formats.onnx.engines import by_tf2onnx

    if not is_mended:
        monkeypatch.setattr(by_tf2onnx, "_all_steps_at_once", nullcontext)
    source, output = saved(translator, tmp_path / "model.keras"), tmp_path / "model.onnx"
    options = () if is_mended else ("--no-verify",)
    code, report = converted(source, output, "--engine", "tf2onnx", *options)
    assert (code, output.exists()) == ends, report["findings"]
    assert is_mended or "gives the shapes" in report["findings"][0]["message"]


def test_what_tf2onnx_writes_and_nothing_loads_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weightbridge.formats.onnx.engines import by_tf2onnx

    source, output = saved(convnet, tmp_path / "model.keras"), tmp_path / "model.onnx"
    monkeypatch.setattr(by_tf2onnx, "HANDLERS", {})
    code, report = converted(source, output, "--engine", "tf2onnx", "--no-verify")
    assert (code, output.exists()) == (4, False)
    assert "Erfc" in report["findings"][0]["message"]


def test_options_of_onnx_mean_nothing_elsewhere(tmp_path: Path) -> None:
    assert (
        run(str(saved(convnet, tmp_path / "model.keras")), str(tmp_path / "new.keras"), "--opset", "17") == 2
    )
