import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_calls import exit_code

import weightbridge as wb
from weightbridge.commands.stitch import stitch
from weightbridge.errors import Unsupported, UsageError, WeightbridgeError

SAVED = "ignore:__array__ implementation:DeprecationWarning"  # TensorFlow under NumPy 2, while Keras saves
pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings(SAVED)]
Build = Callable[[], Any]


def maps(side: int, channels: int, name: str = "maps", classes: int = 3) -> Any:
    import keras

    layers = keras.layers
    x = inputs = layers.Input((side, side, 2))
    x = layers.Conv2D(channels, 3, padding="same", activation="relu", name="first")(x)
    y = layers.Conv2D(channels, 3, padding="same", name="second")(x)
    x = layers.ReLU(name="joined")(layers.Add(name="sum")([x, y]))
    x = layers.Conv2D(2 * channels, 3, strides=2, padding="same", activation="relu", name="third")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(classes, name="head")(x), name=name)


def sequence(length: int, width: int, name: str = "sequence") -> Any:
    import keras

    layers = keras.layers
    x = inputs = layers.Input((length, 2))
    x = layers.Conv1D(width, 3, padding="same", activation="relu", name="first")(x)
    x = layers.GRU(width, return_sequences=True, name="recurrent")(x)
    return keras.Model(inputs, layers.Dense(4, name="head")(layers.Flatten(name="flat")(x)), name=name)


def vector(width: int, name: str = "vector") -> Any:
    import keras

    layers = keras.layers
    hidden = layers.Dense(width, activation="relu", name="hidden")
    return keras.Sequential([layers.Input((5,)), hidden, layers.Dense(6, name="head")], name=name)


def shared() -> Any:
    import keras

    layers = keras.layers
    dense, a = layers.Dense(4, name="twice"), layers.Input((4,))
    return keras.Model(a, layers.Dense(2, name="head")(dense(dense(a))), name="shared")


JOINS = {
    "same-grid-other-channels": (lambda: maps(8, 4), "joined", lambda: maps(8, 6, "other"), "third"),
    "coarser": (lambda: maps(16, 4), "joined", lambda: maps(8, 6, "other"), "third"),
    "finer": (lambda: maps(8, 4), "third", lambda: maps(8, 6, "other"), "second"),
    "odd-ratio": (lambda: maps(9, 4), "joined", lambda: maps(6, 4, "other"), "third"),
    "residual-shortcut-in-the-tail": (lambda: maps(8, 4), "first", lambda: maps(8, 6, "other"), "second"),
    "sequences": (lambda: sequence(12, 5), "recurrent", lambda: sequence(8, 3, "other"), "recurrent"),
    "vectors": (lambda: vector(7), "hidden", lambda: vector(4, "other"), "head"),
    "map-to-vector": (lambda: maps(8, 4), "third", lambda: vector(4), "head"),
    "map-to-sequence": (lambda: maps(8, 4), "third", lambda: sequence(16, 3), "recurrent"),
    "sequence-to-map": (lambda: sequence(16, 4), "first", lambda: maps(8, 3), "third"),
    "called-twice-in-the-tail": (lambda: vector(7), "hidden", shared, "twice"),
    "vector-to-map": (lambda: vector(7), "hidden", lambda: maps(4, 3), "third"),
}


@pytest.mark.parametrize(("source", "at", "target", "from_"), JOINS.values(), ids=JOINS.keys())
def test_joined_models_run_and_keep_both_parts(source: Build, at: str, target: Build, from_: str) -> None:
    trunk, tail = source(), target()
    before = [w.copy() for w in (*trunk.get_weights(), *tail.get_weights())]
    model = stitch(trunk, at, tail, from_)
    x = np.random.default_rng(0).normal(size=(3, *trunk.inputs[0].shape[1:])).astype("float32")
    assert np.ptp(np.asarray(model(x)), axis=0).min() > 0
    assert model.output_shape[1:] == tail.output_shape[1:]
    layers = {layer.name: layer for layer in model.layers}
    first = trunk.layers[0].name if trunk.layers[0].weights else trunk.layers[1].name
    np.testing.assert_array_equal(layers[first].get_weights()[0], trunk.get_layer(first).get_weights()[0])
    ends = [layer for layer in model.layers if layer.weights and layer.name.startswith("head")]
    np.testing.assert_array_equal(ends[-1].get_weights()[0], tail.get_layer("head").get_weights()[0])
    after = [*trunk.get_weights(), *tail.get_weights()]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert layers["stitch_channels"].trainable


def test_an_identity_where_nothing_differs() -> None:
    model = maps(8, 4)
    joined = stitch(model, "joined", model, "third")
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    np.testing.assert_allclose(joined(x), model(x), atol=1e-5)


def test_opened_without_weightbridge(tmp_path: Path) -> None:
    trunk, tail = maps(16, 4), maps(8, 6, "other")
    trunk.save(tmp_path / "trunk.keras")
    tail.save(tmp_path / "tail.keras")
    model = stitch(
        str(tmp_path / "trunk.keras"),
        "joined",
        tmp_path / "tail.keras",
        "third",
        output=tmp_path / "out.keras",
    )
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 2)).astype("float32")
    np.savez(tmp_path / "x.npz", x=x, y=np.asarray(model(x)))
    code = (
        "import sys, numpy as np, keras\n"
        "sys.modules['weightbridge'] = None\n"
        "model, data = keras.models.load_model('out.keras'), np.load('x.npz')\n"
        "np.testing.assert_allclose(np.asarray(model(data['x'])), data['y'], rtol=1e-5, atol=1e-6)\n"
        "assert all(type(layer).__module__.startswith('keras') for layer in model.layers)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.keras", "tail.keras", "trunk.keras", "x.npz"]
    with pytest.raises(UsageError, match="exists"):
        stitch(trunk, "joined", tail, "third", output=tmp_path / "out.keras")


def test_the_example_of_its_description_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On networks whose layers are called and wired as there: three branches meet at the block's end."""
    import doctest

    import keras

    layers = keras.layers
    x = inputs = layers.Input((16, 16, 3))
    for n in range(4):
        x = layers.Conv2D(8, 3, padding="same", strides=1 + n % 2, name=f"conv{n}")(x)
    trunk = keras.Model(inputs, layers.Flatten()(layers.ReLU(name="conv4_block6_out")(x)))
    x = inputs = layers.Input((16, 16, 3))
    for block in ("mixed7", "mixed8", "mixed9"):
        branches = [layers.Conv2D(6, n, padding="same", name=f"{block}_{n}")(x) for n in (1, 3, 5)]
        x = layers.Concatenate(name=block)(branches)
    tail = keras.Model(inputs, layers.Dense(5, name="head")(layers.GlobalAveragePooling2D()(x)))
    trunk.save(tmp_path / "backbone.keras")
    tail.save(tmp_path / "detector.keras")
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder().find(stitch, "stitch", globs={"stitch": stitch})
    assert len(example.examples) == 1
    names: dict[str, Any] = {"stitch": stitch}
    exec(example.examples[0].source, names)
    made = [layer.name for layer in names["model"].layers]
    assert "conv4_block6_out" in made
    assert "mixed9_3" in made
    assert not [name for name in made if name.startswith(("mixed7", "mixed8"))]
    with pytest.raises(UsageError, match="after='mixed8'"):
        stitch("backbone.keras", "conv4_block6_out", "detector.keras", "mixed8")


@pytest.mark.parametrize("given", [{}, {"from_": "third", "after": "third"}], ids=["neither", "both"])
def test_one_place_is_asked_for(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="from_ or after"):
        stitch(maps(8, 4), "joined", maps(8, 4), **given)


def test_the_command_writes_the_model_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from weightbridge.cli import main

    trunk, tail = tmp_path / "trunk.keras", tmp_path / "tail.keras"
    maps(16, 4).save(trunk)
    maps(8, 6, "other").save(tail)
    arguments = ["stitch", str(trunk), "joined", str(tail), "joined", str(tmp_path / "out.keras"), "--after"]
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--report", "json"])
    assert done.value.code == 0
    assert json.loads(capsys.readouterr().out)["command"] == "stitch"
    with pytest.raises(SystemExit) as again:
        main(arguments)
    assert again.value.code == 2


WRONG = {
    "no-such-layer": (lambda: maps(8, 4), "joind", lambda: maps(8, 4), "third", "joined"),
    "no-such-target-layer": (lambda: maps(8, 4), "joined", lambda: maps(8, 4), "thrid", "third"),
    "crossed-by-a-shortcut": (lambda: maps(8, 4), "joined", lambda: maps(8, 4), "sum", "inputs"),
    "volume-to-map": (lambda: sequence(7, 4), "first", lambda: maps(8, 4), "third", "cannot be laid out"),
}


@pytest.mark.parametrize(("source", "at", "target", "from_", "text"), WRONG.values(), ids=WRONG.keys())
def test_refused_with_a_way_out(source: Build, at: str, target: Build, from_: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        stitch(source(), at, target(), from_)


def test_missing_file_and_bad_output(tmp_path: Path) -> None:
    with pytest.raises(WeightbridgeError):
        stitch(tmp_path / "none.keras", "a", tmp_path / "none.keras", "b")
    (tmp_path / "state.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    with pytest.raises(Unsupported, match="cannot be cut"):
        stitch(tmp_path / "state.safetensors", "a", vector(4), "head")
    with pytest.raises(UsageError, match=r"\.keras"):
        stitch(vector(4), "hidden", vector(4), "head", output=tmp_path / "out.h5")


@pytest.mark.parametrize(("before", "after"), [(4, 4), (4, 10), (10, 4), (3, 1), (1, 3)])
def test_projection_preserves_variance(before: int, after: int) -> None:
    from weightbridge.formats.keras.framework.cuts.bridge import projection

    np.testing.assert_allclose(np.square(projection(before, after)).sum(0), 1.0, rtol=1e-6)


def test_channels_are_fitted_where_inputs_are_given(tmp_path: Path) -> None:
    """The trunk of a model under its own tail, channels mixed in between: least squares undoes the mixing."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(6, 3, activation="relu", name="body")(image)
    y = layers.Conv2D(6, 1, name="neck")(x)
    target = keras.Model(image, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D(name="pool")(y)))
    source = keras.Model(image, layers.Conv2D(9, 1, name="mixed")(x), name="source")
    inputs = np.random.default_rng(0).normal(0, 1, (60, 8, 8, 2)).astype("float32")
    wanted = np.asarray(target(inputs))
    plain = wb.stitch(source, "mixed", target, after="neck")
    fitted = wb.stitch(source, "mixed", target, after="neck", calibrate=inputs)
    far = [float(np.abs(np.asarray(model(inputs)) - wanted).max()) for model in (plain, fitted)]
    assert far[1] < 0.05 * far[0]
    source.save(tmp_path / "s.keras")
    target.save(tmp_path / "t.keras")
    np.savez(tmp_path / "x.npz", x=inputs)
    paths = [str(tmp_path / name) for name in ("s.keras", "t.keras", "o.keras", "r.json", "x.npz")]
    command = ("stitch", paths[0], "mixed", paths[1], "neck", paths[2], "--after", "--calibrate", paths[4])
    assert exit_code(*command, "--report", f"json={paths[3]}") == 0
    said = json.loads(Path(paths[3]).read_text())
    assert said["verification"]["evidence"]["fitted"]["r2"] > 0.99
    assert np.allclose(
        np.asarray(keras.models.load_model(paths[2])(inputs)), np.asarray(fitted(inputs)), atol=1e-5
    )


def test_a_poor_fit_is_said_and_inputs_of_one_model_are_refused() -> None:
    import keras

    layers = keras.layers
    image, other = layers.Input((6, 6, 1), name="image"), layers.Input((5, 5, 1), name="other")
    dead = layers.Conv2D(4, 3, activation="relu", kernel_initializer="zeros", name="dead")(image)
    source = keras.Model(image, dead, name="source")
    target = keras.Model(image, layers.Conv2D(2, 1, name="neck")(layers.Conv2D(4, 3, name="body")(image)))
    inputs = np.random.default_rng(0).normal(0, 1, (40, 6, 6, 1)).astype("float32")
    with pytest.warns(UserWarning, match="less than half"):
        wb.stitch(source, "dead", target, after="body", calibrate=inputs)
    small = keras.Model(other, layers.Conv2D(2, 1, name="neck")(layers.Conv2D(4, 2, name="body")(other)))
    with pytest.raises(UsageError, match="expected"):
        wb.stitch(source, "dead", small, after="body", calibrate=inputs)


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_channels_first_are_turned_and_fitted() -> None:
    """A model stitched to itself, with channels first on both sides, computes what it did."""
    import keras

    layers = keras.layers
    image = layers.Input((3, 6, 8))
    x = layers.Conv2D(5, 3, padding="same", name="conv")(layers.Permute((2, 3, 1))(image))
    x = layers.ReLU(name="relu")(layers.Permute((3, 1, 2))(x))
    x = layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")(x)
    model = keras.Model(image, layers.Dense(4, name="head")(x))
    images = np.random.default_rng(0).normal(size=(60, 3, 6, 8)).astype("float32")
    made = stitch(model, "relu", model, "pool", calibrate=images)
    assert {"stitch_turn", "stitch_turn_back"} <= {layer.name for layer in made.layers}
    assert np.abs(np.asarray(made(images)) - np.asarray(model(images))).max() < 2e-3
