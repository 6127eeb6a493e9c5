"""features: the cut model gives what the whole gives at that layer, opens without weightbridge, and wrong
requests are refused.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weightbridge import WeightbridgeError
from weightbridge.boundary.options import Options
from weightbridge.commands.features import features, features_report
from weightbridge.errors import OutputError, RunError, Unsupported, UsageError

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning"
    ),  # TensorFlow under NumPy 2, while Keras saves
]
OPENED = """
import sys, numpy as np
sys.modules["weightbridge"] = None
import keras
model, data = keras.models.load_model(sys.argv[1], compile=False), np.load("x.npz")
np.testing.assert_allclose(np.asarray(model(data["x"], training=False)), data["y"], rtol=1e-5, atol=1e-6)
assert all(type(layer).__module__.startswith("keras") for layer in model.layers)
"""


def network() -> Any:
    """A nested trunk, a shared layer called twice, and a second input that the trunk does not need."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    trunk = keras.Sequential(
        [layers.Input((6, 6, 3)), layers.Conv2D(4, 3, name="inner"), layers.Flatten(name="flat")],
        name="trunk",
    )
    image, extra = layers.Input((6, 6, 3), name="image"), layers.Input((2,), name="extra")
    twice = layers.Dense(64, name="twice")
    x = twice(twice(trunk(image)))
    joined = layers.Concatenate(name="joined")([x, extra])
    return keras.Model([image, extra], layers.Dense(3, name="head")(joined), name="network")


def pictures(side: int = 6, channels: int = 3) -> Any:
    return np.random.default_rng(0).normal(size=(2, side, side, channels)).astype("f4")


def opened_elsewhere(output: Path, x: Any, y: Any) -> None:
    np.savez(output.parent / "x.npz", x=x, y=y)
    command = [sys.executable, "-I", "-c", OPENED, output.name]
    done = subprocess.run(
        command, cwd=output.parent, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_the_cut_model_opens_without_weightbridge(tmp_path: Path, suffix: str) -> None:
    network().save(tmp_path / "whole.keras")
    cut = features(tmp_path / "whole.keras", "twice#1", tmp_path / f"cut{suffix}")
    opened_elsewhere(tmp_path / f"cut{suffix}", pictures(), np.asarray(cut(pictures(), training=False)))


CUTS = {
    "inside-a-nested-model": ("trunk/inner", (4, 4, 4), ["image"]),
    "the-nested-model": ("trunk", (64,), ["image"]),
    "first-call-of-a-shared-layer": ("twice", (64,), ["image"]),
    "second-call-of-a-shared-layer": ("twice#1", (64,), ["image"]),
    "where-both-inputs-meet": ("joined", (66,), ["image", "extra"]),
}


@pytest.mark.parametrize(("layer", "shape", "inputs"), CUTS.values(), ids=CUTS.keys())
def test_the_cut_reads_only_what_it_needs(
    tmp_path: Path, layer: str, shape: tuple[int, ...], inputs: list[str]
) -> None:
    cut = features(network(), layer, tmp_path / "cut.keras")
    assert cut.output_shape == (None, *shape)
    assert [tensor.name for tensor in cut.inputs] == inputs


def test_calls_of_a_shared_layer_are_different_cuts_and_right(tmp_path: Path) -> None:
    model = network()
    first, second = (
        features(model, name, tmp_path / f"{n}.keras") for n, name in enumerate(("twice", "twice#1"))
    )
    once = np.asarray(first(pictures()))
    assert np.allclose(np.asarray(model.get_layer("twice")(once)), np.asarray(second(pictures())), atol=1e-5)
    assert not np.allclose(once, np.asarray(second(pictures())), atol=1e-2)


REFUSED = {
    "unknown-layer": ("trunk/iner", "cut.keras", UsageError, "trunk/inner"),
    "no-such-call": ("twice#7", "cut.keras", UsageError, "called 2 times"),
    "wrong-suffix": ("twice", "cut.txt", UsageError, r"\.keras"),
    "weights-only-suffix": ("twice", "cut.onnx", UsageError, r"\.keras"),
    "no-such-folder": ("twice", "none/cut.keras", OutputError, "none"),
}


@pytest.mark.parametrize(("layer", "name", "kind", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_request_is_refused_with_a_way_out(
    tmp_path: Path, layer: str, name: str, kind: type[WeightbridgeError], said: str
) -> None:
    network().save(tmp_path / "whole.keras")
    done = command(tmp_path, "whole.keras", layer, name)
    assert done.returncode == kind.exit_code
    assert "Traceback" not in done.stderr + done.stdout
    assert re.search(said, done.stdout + done.stderr)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["whole.keras"]


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from weightbridge.cli import main; sys.exit(main())"
    line = [sys.executable, "-c", script, "features", *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_an_existing_output_is_untouched_unless_asked(tmp_path: Path) -> None:
    network().save(tmp_path / "whole.keras")
    (tmp_path / "cut.keras").write_text("mine")
    refused = command(tmp_path, "whole.keras", "twice", "cut.keras")
    assert refused.returncode == UsageError.exit_code
    assert "--overwrite" in refused.stderr
    assert (tmp_path / "cut.keras").read_text() == "mine"
    assert command(tmp_path, "whole.keras", "twice", "cut.keras", "--overwrite").returncode == 0


def test_a_file_of_weights_cannot_be_cut(tmp_path: Path) -> None:
    network().save_weights(tmp_path / "some.weights.h5")
    with pytest.raises(Unsupported, match="cannot be cut"):
        features(tmp_path / "some.weights.h5", "twice", tmp_path / "cut.keras")


@pytest.mark.slow
def test_a_real_file_is_cut(shared_models: Path, tmp_path: Path) -> None:
    from weightbridge import inspect

    path = shared_models / "P04_face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5"
    listed = [
        layer["name"]
        for layer in (inspect(path).graph or {})["layers"]
        if layer["op"] in ("GlobalPool", "Dense")
    ]
    cut = features(path, listed[0], tmp_path / "cut.keras")
    opened_elsewhere(
        tmp_path / "cut.keras", pictures(64, 1), np.asarray(cut(pictures(64, 1), training=False))
    )


def test_a_real_file_that_keras_refuses_is_said(shared_models: Path, tmp_path: Path) -> None:
    """Its depthwise convolutions have the argument `groups`, which today's Keras does not know."""
    with pytest.raises(RunError, match=r"cannot load it.*inspect name known causes"):
        features(
            shared_models / "P08_teachable_machine/keras_model.h5", "dense_Dense1", tmp_path / "cut.keras"
        )
    assert list(tmp_path.iterdir()) == []


APPLICATIONS = {
    "resnet50": ("ResNet50", "conv4_block6_out"),
    "mobilenetv2": ("MobileNetV2", "block_13_expand_relu"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layer"), APPLICATIONS.values(), ids=APPLICATIONS.keys())
def test_known_architectures_are_cut(tmp_path: Path, name: str, layer: str) -> None:
    import keras

    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=3)
    whole = keras.Model(model.input, model.get_layer(layer).output)
    features(model, layer, tmp_path / "cut.keras")
    opened_elsewhere(tmp_path / "cut.keras", pictures(32), np.asarray(whole(pictures(32), training=False)))


def test_the_command_builds_the_model_with_the_given_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "built_for_features.py").write_text(
        "import keras\n\n"
        "def make(units):\n"
        "    return keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(units, name='wide'), "
        "keras.layers.Dense(2)])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    report = features_report(
        "py:built_for_features:make", "wide", tmp_path / "out.keras", Options(source_arguments={"units": 5})
    )
    assert report.target is not None
    assert report.target.parameters == 3 * 5 + 5
