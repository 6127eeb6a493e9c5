"""OUTPUT under another suffix than the target's.

The same names and bytes, from files, code and live models; and in torch's names.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import weightbridge as wb
from weightbridge.errors import UsageError

framework = pytest.mark.framework
quiet = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # TensorFlow under NumPy 2, while Keras saves
SUFFIXES = (".keras", ".h5", ".hdf5", ".weights.h5", ".safetensors")
WAYS = [
    *(("file", s) for s in SUFFIXES),
    ("code", ".keras"),
    ("code", ".hdf5"),
    ("code", ".safetensors"),
    ("live", ".weights.h5"),
]
CODE = """
import keras
calls = []
def build(width: int = 6):
    calls.append(width)
    x = inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(width, 3)(x)
    x = keras.layers.BatchNormalization()(x)
    pool, dense = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5)
    inner = keras.Sequential([keras.Input((6, 6, width)), pool, dense], name="inner")
    return keras.Model(inputs, keras.layers.Dense(2)(inner(x)))
"""


def stored(path: Path) -> dict[str, bytes]:
    return {t.name: t.load().tobytes() for t in wb.read(path).tensors}


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The function of a module in the working directory, as a user has it."""
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import sys

    sys.modules.pop("mine", None)
    import mine

    return mine.build


@framework
@quiet
@pytest.mark.parametrize(("target", "suffix"), WAYS, ids=map(" to ".join, WAYS))
def test_any_suffix_from_a_file_from_code_and_from_a_model(
    build: Callable[..., Any], target: str, suffix: str, tmp_path: Path
) -> None:
    build(7).save(tmp_path / "source.keras")
    build(7).save(tmp_path / "target.keras")
    given = {"file": "target.keras", "code": "py:mine:build", "live": build(7)}[target]
    arguments = {"target_arguments": {"width": 7}} if target == "code" else {}
    output = tmp_path / f"out{suffix}"
    report = wb.transfer("source.keras", given, output=output, **arguments)
    assert report.verdict == "pass"
    assert report.target.format == ("keras-zip" if target == "file" else "python")
    assert "/tmp" not in report.target.path
    runs = suffix in (".keras", ".h5", ".hdf5")
    assert report.verification.mode == ("actual" if runs else "read-back")
    filled, wanted = stored(output), stored(Path("source.keras"))
    assert filled == {s.target: wanted[s.sources[0]] for s in report.plan.steps}
    assert len(filled) == len(wanted)


@framework
@quiet
def test_the_code_is_called_once(build: Callable[..., Any]) -> None:
    import mine

    build(6).save("source.keras")
    mine.calls.clear()
    wb.transfer("source.keras", "py:mine:build", output="out.keras")
    assert mine.calls == [6]


@framework
@quiet
@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".safetensors"])
def test_a_plan_for_the_target_serves_every_suffix(build: Callable[..., Any], suffix: str) -> None:
    build().save("source.keras")
    build().save("target.keras")
    wb.plan("source.keras", "target.keras").save("plan.json")
    assert (
        wb.transfer("source.keras", "target.keras", output=f"out{suffix}", plan="plan.json").verdict == "pass"
    )


def torch_names(seed: int) -> dict[str, np.ndarray]:
    """The state dict of a small torch network, in torch's order and layouts."""
    random = np.random.default_rng(seed)
    shapes = {
        "features.0.weight": (8, 3, 3, 3), "features.0.bias": (8,),
        **{f"features.1.{name}": (8,) for name in ("weight", "bias", "running_mean", "running_var")},
        "features.3.weight": (8, 1, 3, 3), "features.3.bias": (8,), "features.4.weight": (12, 8, 1, 1),
        "classifier.weight": (5, 12), "classifier.bias": (5,),
    }  # fmt: skip
    found = {name: random.uniform(0.5, 1.5, shape).astype("float32") for name, shape in shapes.items()}
    return found | {"features.1.num_batches_tracked": np.array(7)}


def in_keras(seed: int) -> Any:
    import keras

    layers = keras.layers
    image = layers.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", name="first")(image)
    x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5, name="norm")(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="each")(x)
    x = layers.Conv2D(12, 1, use_bias=False, name="mix")(x)
    model = keras.Model(image, layers.Dense(5, name="head")(layers.GlobalAveragePooling2D()(x)))
    random = np.random.default_rng(seed)
    model.set_weights([random.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    return model


@framework
@quiet
def test_keras_to_torch_and_back_is_bit_exact(tmp_path: Path) -> None:
    model = in_keras(0)
    model.save(tmp_path / "source.keras")
    in_keras(1).save(tmp_path / "mine.keras")
    save_file(torch_names(0), tmp_path / "template.safetensors")
    there = wb.transfer(
        tmp_path / "source.keras", tmp_path / "template.safetensors", output=tmp_path / "out.safetensors"
    )
    back = wb.transfer(tmp_path / "out.safetensors", tmp_path / "mine.keras", output=tmp_path / "back.keras")
    assert [there.exit_code, back.exit_code] == [0, 0]
    assert stored(tmp_path / "back.keras") == stored(tmp_path / "source.keras")
    filled = load_file(tmp_path / "out.safetensors")
    assert filled.keys() == torch_names(0).keys()
    assert filled["features.1.num_batches_tracked"] == 7
    kernel, each = model.get_layer("first").get_weights()[0], model.get_layer("each").get_weights()[0]
    np.testing.assert_array_equal(filled["features.0.weight"], kernel.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(filled["features.3.weight"], each.transpose(2, 3, 0, 1))
    np.testing.assert_array_equal(filled["classifier.weight"], model.get_layer("head").get_weights()[0].T)


@framework
@quiet
def test_keras_to_safetensors_and_back_is_bit_exact(tmp_path: Path) -> None:
    in_keras(0).save(tmp_path / "source.keras")
    in_keras(1).save(tmp_path / "mine.keras")
    wb.transfer(tmp_path / "source.keras", tmp_path / "source.keras", output=tmp_path / "out.safetensors")
    assert (
        wb.transfer(
            tmp_path / "out.safetensors", tmp_path / "mine.keras", output=tmp_path / "back.keras"
        ).exit_code
        == 0
    )
    assert stored(tmp_path / "back.keras") == stored(tmp_path / "source.keras")


def pair(folder: Path) -> None:
    """Two files with the same tensors."""
    save_file({"a.weight": np.ones((3, 2), "f4"), "a.bias": np.ones(3, "f4")}, folder / "a.safetensors")
    save_file({"a.weight": np.zeros((3, 2), "f4"), "a.bias": np.zeros(3, "f4")}, folder / "b.safetensors")


@pytest.mark.parametrize("suffix", [".onnx", ".keras", ".h5", ".weights.h5"])
def test_a_state_dict_becomes_no_other_format(suffix: str, tmp_path: Path) -> None:
    pair(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be written as .*\.safetensors"):
        wb.transfer(tmp_path / "a.safetensors", tmp_path / "b.safetensors", output=tmp_path / f"out{suffix}")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(("out", "."))] == []


def test_the_target_itself_stays_as_it_is(tmp_path: Path) -> None:
    pair(tmp_path)
    before = (tmp_path / "b.safetensors").read_bytes()
    assert (
        wb.transfer(
            tmp_path / "a.safetensors", tmp_path / "b.safetensors", output=tmp_path / "out.safetensors"
        ).exit_code
        == 0
    )
    assert (tmp_path / "b.safetensors").read_bytes() == before
    assert stored(tmp_path / "out.safetensors") == stored(tmp_path / "a.safetensors")
