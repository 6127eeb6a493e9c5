"""Statistics of BatchNormalization computed from inputs: exact, in files, in place, after transfers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_calls import exit_code

import weightbridge as wb
from weightbridge.errors import UsageError

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]

X = np.random.default_rng(0).normal(2.0, 3.0, (300, 8, 8, 2)).astype("float32")
ROLES = ("moving_mean", "moving_variance")


def network(seed: int = 0, width: int = 8) -> Any:
    """Norms behind each other, beside each other and in a nested model; dropout, which must not count."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    image = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(width, 3, padding="same", name="stem")(image)
    x = layers.Dropout(0.5)(layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x)))
    a = layers.BatchNormalization(name="a_bn")(layers.Conv2D(width, 3, name="a")(x))
    b = layers.BatchNormalization(scale=False, name="b_bn")(layers.Conv2D(width, 3, name="b")(x))
    inner = keras.Sequential(
        [layers.Conv2D(width, 3, name="c"), layers.BatchNormalization(name="c_bn")], name="in"
    )
    x = inner(layers.ReLU()(layers.Concatenate()([a, b])))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(3, name="head")(x))


def untouched(model: Any) -> list[Any]:
    return [np.array(w) for w in model.weights if not w.path.endswith(ROLES)]


def worst(model: Any) -> float:
    """How far the norms' held statistics are from those of what they get in inference, in deviations."""
    import keras

    far = 0.0
    inner = model.get_layer("in")
    fed = keras.Model(
        model.input, [*(model.get_layer(n).input for n in ("stem_bn", "a_bn", "b_bn")), inner.input]
    )
    *given, before = (keras.ops.convert_to_numpy(one) for one in fed(X))
    given.append(keras.ops.convert_to_numpy(inner.get_layer("c")(before)))
    norms = [*(model.get_layer(n) for n in ("stem_bn", "a_bn", "b_bn")), inner.get_layer("c_bn")]
    for norm, values in zip(norms, given, strict=True):
        rows = values.reshape(-1, values.shape[-1]).astype("float64")
        mean, variance = (keras.ops.convert_to_numpy(getattr(norm, role).value) for role in ROLES)
        far = max(far, float((np.abs(mean - rows.mean(0)) / rows.std(0)).max()))
        far = max(far, float(np.abs(variance / rows.var(0) - 1).max()))
    return far


@pytest.mark.parametrize("most", [1024, 64], ids=["in one batch", "in five batches"])
def test_statistics_are_those_of_inference(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from weightbridge.formats.keras.framework import recalibrate

    monkeypatch.setattr(recalibrate, "MOST", most)
    model = network()
    before = untouched(model)
    assert worst(model) > 1
    report = wb.recalibrate(model, calibrate=X)
    assert worst(model) < 1e-4
    assert all(map(np.array_equal, before, untouched(model)))
    changed = {one["layer"]: one for one in report.verification.evidence["recalibrated"]}
    assert list(changed) == ["stem_bn", "a_bn", "b_bn", "in/c_bn"]
    assert changed["a_bn"]["values"] == 300 * 36
    assert [found.code for found in report.findings] == ["WB310"]


def test_a_norm_that_is_called_twice_has_the_statistics_of_both_calls() -> None:
    import keras

    layers = keras.layers
    left, right = layers.Input((4,), name="left"), layers.Input((4,), name="right")
    norm = layers.BatchNormalization(name="both")
    model = keras.Model([left, right], layers.BatchNormalization(name="sum")(norm(left) + norm(right)))
    feeds = {"left": X[:100, 0, :2].reshape(100, 4), "right": X[:100, 1, :2].reshape(100, 4) + 5}
    wb.recalibrate(model, calibrate=feeds)
    pooled = np.concatenate(list(feeds.values())).astype("float64")
    assert np.allclose(keras.ops.convert_to_numpy(norm.moving_mean), pooled.mean(0), atol=1e-5)
    assert np.allclose(keras.ops.convert_to_numpy(norm.moving_variance), pooled.var(0), rtol=1e-5)


def test_masked_steps_do_not_count() -> None:
    import keras

    words = keras.layers.Input((6,), dtype="int32", name="words")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(words)
    model = keras.Model(words, keras.layers.BatchNormalization(name="norm")(x))
    ids = np.random.default_rng(1).integers(0, 9, (40, 6))
    report = wb.recalibrate(model, calibrate=ids)
    assert report.verification.evidence["recalibrated"][0]["values"] == int((ids != 0).sum())


def test_a_subclassed_model_is_done_call_by_call() -> None:
    import keras

    from weightbridge.formats.keras.framework.recalibrate import statistics

    class Network(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = keras.layers.BatchNormalization(), keras.layers.BatchNormalization()
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any, training: bool | None = None) -> Any:
            return self.two(self.dense(self.one(x, training=training)), training=training)

    model = Network()
    rows = np.random.default_rng(3).normal(1, 2, (3000, 4)).astype("float32")
    model(rows[:1])
    wb.recalibrate(model, calibrate=rows)
    again = statistics(model, {"inputs": rows})
    assert max(np.abs(one.held["moving_mean"] - one.found["moving_mean"]).max() for one in again) < 1e-5


def saved(folder: Path) -> Path:
    network().save(folder / "m.keras")
    np.savez(folder / "x.npz", x=X, y=np.zeros(len(X)))
    return folder / "m.keras"


@pytest.mark.parametrize("name", ["o.keras", "o.h5", "o.weights.h5"])
def test_a_file_is_whole_and_the_model_stays(name: str, tmp_path: Path) -> None:
    model = saved(tmp_path)
    before = model.read_bytes()
    output, report = tmp_path / name, tmp_path / "r.json"
    arguments = (
        "recalibrate",
        model,
        output,
        "--calibrate",
        tmp_path / "x.npz",
        "--report",
        f"json={report}",
    )
    assert exit_code(*map(str, arguments)) == 0
    assert model.read_bytes() == before
    said = json.loads(report.read_text())
    assert said["wrote"]["path"] == str(output)
    assert len(said["verification"]["evidence"]["recalibrated"]) == 4
    target = network(5)
    wb.transfer(output, target)
    assert worst(target) < 1e-4
    assert exit_code(*map(str, arguments)) == 2, "it exists already"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X[:, :4]}, r"is \(300, 4, 8, 2\), expected"),
        ({"x": X[:1]}, "1 inputs, expected 2"),
        ({"z": X}, "no array for input 'image', only z"),
        ({"x": X, "z": X}, "'z': the model has no such input"),
        ({"x": np.full_like(X, np.nan)}, "NaN or Inf"),
        ({"x": X, "y": np.zeros(3)}, "300 inputs have labels of shape"),
        ({"x": X.astype(str)}, "dtype <U"),
    ],
    ids=["shape", "one", "name", "stranger", "nan", "labels", "text"],
)
def test_inputs_that_do_not_fit_are_refused(arrays: dict[str, Any], said: str) -> None:
    model = network()
    before = model.get_weights()
    with pytest.raises(UsageError, match=said):
        wb.recalibrate(model, calibrate=arrays)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_a_file_of_other_things_is_a_usage_error(tmp_path: Path) -> None:
    model = saved(tmp_path)
    (tmp_path / "bad.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:400])
    np.savez(tmp_path / "objects.npz", x=np.array([{}, []], object))
    for name in ("bad.npz", "objects.npz", "missing.npz"):
        assert (
            exit_code(
                "recalibrate", str(model), str(tmp_path / "o.keras"), "--calibrate", str(tmp_path / name)
            )
            == 2
        )
    assert not (tmp_path / "o.keras").exists()


def test_a_declared_size_is_checked_before_room_is_made(tmp_path: Path) -> None:
    import zipfile

    from weightbridge.formats.arrays import read_arrays

    np.save(tmp_path / "x.npy", np.zeros((4, 4)))
    good = (tmp_path / "x.npy").read_bytes()
    data = good.replace(b"(4, 4)", b"(40000")
    huge = good.replace(b"(4, 4), }         ", b"(4000000000, 4), }")
    assert len({len(good), len(data), len(huge)}) == 1 < len({good, data, huge})
    for name, content in (("odd.npz", data), ("huge.npz", huge)):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr("x.npy", content)
        with pytest.raises(UsageError):
            read_arrays(tmp_path / name, "the file")


def test_a_model_without_norms_has_nothing_to_recalibrate() -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(UsageError, match="nothing to recalibrate"):
        wb.recalibrate(model, calibrate=np.zeros((5, 4)))


def test_a_statistic_that_is_not_finite_is_refused_and_nothing_changes() -> None:
    from weightbridge.errors import RunError

    model = network()
    kernel, bias = model.get_layer("a").get_weights()
    model.get_layer("a").set_weights([np.full_like(kernel, 1e38), bias])
    before = model.get_weights()
    with pytest.raises(RunError, match="'a_bn'"):
        wb.recalibrate(model, calibrate=X)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_few_values_are_said() -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.BatchNormalization(name="n")])
    report = wb.recalibrate(model, calibrate=np.eye(4))
    assert [found.code for found in report.findings] == ["WB302", "WB310"]


def test_a_lossy_transfer_recalibrates_what_is_behind_the_loss(tmp_path: Path) -> None:
    source = network(1, width=8)
    wb.recalibrate(source, calibrate=X)
    source.save(tmp_path / "s.keras")
    network(2, width=6).save(tmp_path / "t.keras")
    np.savez(tmp_path / "x.npz", x=X)
    plain, better = tmp_path / "plain.keras", tmp_path / "better.keras"
    arguments = ("transfer", tmp_path / "s.keras", tmp_path / "t.keras")
    report = tmp_path / "r.json"
    assert exit_code(*map(str, (*arguments, plain))) == 0
    told = (*arguments, better, "--calibrate", tmp_path / "x.npz", "--report", f"json={report}")
    assert exit_code(*map(str, told)) == 0
    models = [network(3, width=6) for _ in range(2)]
    for model, path in zip(models, (plain, better), strict=True):
        model.load_weights(path)
    assert worst(models[0]) > 0.1
    assert worst(models[1]) < 1e-4
    steps = {step["target"]: step for step in json.loads(report.read_text())["steps"]}
    assert steps["a_bn/moving_mean"]["contract"] == "lossy"
    assert "WB310" in report.read_text()


def test_in_place_too_and_an_exact_transfer_keeps_the_sources_statistics() -> None:
    source, target, same = network(1), network(2, width=6), network(4)
    wb.recalibrate(source, calibrate=X)
    wb.transfer(source, target, calibrate=X)
    assert worst(target) < 1e-4
    report = wb.transfer(source, same, calibrate=X)
    assert all(map(np.array_equal, source.get_weights(), same.get_weights()))
    assert [found.message for found in report.findings if found.code == "WB310"] != []


def test_inputs_that_nothing_would_run_are_refused(tmp_path: Path) -> None:
    model = str(saved(tmp_path))
    data = ("--calibrate", str(tmp_path / "x.npz"))
    assert exit_code("check", model, model, *data) == 2
    assert exit_code("transfer", model, model, str(tmp_path / "o.weights.h5"), *data) == 2
