"""Advice from the features at each cut: scores checked against what they must be, and what follows."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_calls import exit_code

import weightbridge as wb
from weightbridge.commands.advising.scores import h_score, logme, ridge_probe
from weightbridge.errors import PlanError, Unsupported, UsageError

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(0, 1, (120, 10))
CLASSES = np.arange(120) % 3
ONE_HOT = np.eye(3)[CLASSES]
GOOD = np.concatenate([NOISE, 3 * ONE_HOT + 0.3 * RANDOM.normal(0, 1, (120, 3))], axis=1)


def test_every_score_is_higher_where_features_tell_the_classes() -> None:
    assert logme(GOOD, ONE_HOT) > logme(NOISE, ONE_HOT) + 0.1
    assert h_score(GOOD, CLASSES) > h_score(NOISE, CLASSES) + 0.5
    good, bad = (ridge_probe(features, ONE_HOT, CLASSES) for features in (GOOD, NOISE))
    assert good.r2 > 0.8
    assert np.mean(good.accuracies) > 0.95
    assert bad.r2 < 0.1, "what is held out is not what it was fitted on"
    assert np.mean(bad.accuracies) < 0.6


def test_the_evidence_is_that_of_the_linear_model() -> None:
    """At its own alpha and beta the log density of y under N(0, F F' / alpha + 1 / beta)."""
    from scipy.optimize import minimize
    from scipy.stats import multivariate_normal

    y = ONE_HOT[:, 0]

    def negative(logs: Any) -> float:
        alpha, beta = np.exp(logs)
        covariance = NOISE @ NOISE.T / alpha + np.eye(120) / beta
        return -float(multivariate_normal(np.zeros(120), covariance).logpdf(y)) / 120

    best = minimize(negative, (0.0, 0.0), method="Nelder-Mead")
    assert logme(NOISE, y[:, None]) == pytest.approx(-best.fun, abs=2e-3)


def test_more_numbers_than_inputs_are_no_trouble() -> None:
    wide = RANDOM.normal(0, 1, (30, 400))
    labels = np.arange(30) % 3
    scores = (
        logme(wide, np.eye(3)[labels]),
        h_score(wide, labels),
        ridge_probe(wide, np.eye(3)[labels], labels).r2,
    )
    assert np.isfinite(scores).all()
    assert scores[2] < 0.5


def network() -> Any:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.ReLU(name="stem_relu")(
        layers.BatchNormalization(name="stem_bn")(layers.Conv2D(6, 3, name="stem")(image))
    )
    a, b = layers.Conv2D(6, 3, padding="same", name="left")(x), layers.Conv2D(6, 1, name="right")(x)
    x = layers.ReLU(name="out")(layers.Add(name="sum")([a, b]))
    return keras.Model(image, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D(name="pool")(x)))


def data(count: int = 60) -> dict[str, Any]:
    """Three kinds of stripes."""
    random, y = np.random.default_rng(1), np.arange(count) % 3
    x = random.normal(0, 0.3, (count, 8, 8, 1))
    x[y == 1, ::2] += 1
    x[y == 2, :, ::2] += 1
    return {"x": x.astype("float32"), "y": y}


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
class TestAdvice:
    def test_cuts_are_where_everything_passes(self) -> None:
        found = wb.advise(network(), data=data()).verification.evidence["advice"]
        assert [cut["cut"] for cut in found["cuts"]] == ["the inputs themselves", "stem_relu", "pool"]
        assert [group["layers"] for group in found["groups"]] == [
            ["stem", "stem_bn"],
            ["left", "right"],
            ["head"],
        ]
        assert [group["rate"] for group in found["groups"]] == [0.1479, 0.3846, 1.0]
        assert [phase["train"] for phase in found["phases"]] == ["head", "everything"]

    def test_the_command_gives_text_json_and_a_picture(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        network().save(tmp_path / "m.keras")
        np.savez(tmp_path / "d.npz", **data())
        picture, report = tmp_path / "a.svg", tmp_path / "a.json"
        model, given = str(tmp_path / "m.keras"), str(tmp_path / "d.npz")
        formats = ("--report", "text", "--report", f"json={report}", "--report", f"svg={picture}")
        assert exit_code("advise", model, "--data", given, *formats) == 0
        text = capsys.readouterr().out
        assert "WB311" in text
        assert "stem_relu" in text
        assert "LogME" in text
        assert len(json.loads(report.read_text())["verification"]["evidence"]["advice"]["cuts"]) == 3
        assert len(ET.fromstring(picture.read_text()).findall(".//{*}circle")) == 3
        assert exit_code("advise", model, "--calibrate", given, "--quiet") == 0

    def test_features_that_tell_less_than_the_inputs_are_said(self) -> None:
        model = network()
        model.get_layer("stem").set_weights([np.zeros((3, 3, 1, 6)), np.zeros(6)])
        assert "WB308" in {found.code for found in wb.advise(model, data=data()).findings}

    def test_values_are_predicted_too(self) -> None:
        given = data()
        given["y"] = given["x"].mean(axis=(1, 2, 3)) + 0.01
        found = wb.advise(network(), data=given).verification.evidence["advice"]
        assert found["classes"] is None
        assert found["cuts"][0]["accuracy"] is None
        assert found["cuts"][0]["ridge_r2"] > 0.9

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"y": None}, "there are no labels"),
            ({"y": np.zeros(60, int)}, "all labels are one class"),
            ({"y": np.r_[np.zeros(59, int), 1]}, "class 1 has 1 input"),
            ({"y": np.full(60, 0.5)}, "all labels are one value"),
            ({"y": np.zeros((60, 2, 2))}, "labels of shape"),
            ({"x": np.zeros((60, 9, 8, 1))}, "expected"),
        ],
        ids=["none", "one class", "a lone input", "one value", "shape", "inputs"],
    )
    def test_data_that_do_not_fit_are_refused(self, change: dict[str, Any], said: str) -> None:
        given = {name: value for name, value in (data() | change).items() if value is not None}
        with pytest.raises(UsageError, match=said):
            wb.advise(network(), data=given)

    def test_models_in_models_are_cut_inside(self) -> None:
        """What a nested model is fed is computed before it."""
        import keras

        layers = keras.layers
        base = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.ReLU()], name="base")
        top = keras.Sequential([layers.Input((6, 6, 4)), layers.Conv2D(4, 3), layers.ReLU()], name="top")
        image = layers.Input((8, 8, 1))
        pooled = layers.GlobalAveragePooling2D(name="pool")(top(base(image)))
        report = wb.advise(keras.Model(image, layers.Dense(3)(pooled)), data=data())
        cuts = [cut["cut"] for cut in report.verification.evidence["advice"]["cuts"]]
        assert [cut.partition("/")[0] for cut in cuts[1:]] == ["base", "pool"]

    def test_a_model_without_data_flow_cannot_be_cut(self) -> None:
        import keras

        class Network(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.head = keras.layers.Dense(3)

            def call(self, x: Any) -> Any:
                return self.head(x)

        model = Network()
        model(np.zeros((1, 4), "float32"))
        with pytest.raises(Unsupported, match="cannot be cut"):
            wb.advise(model, data={"x": np.zeros((60, 4)), "y": data()["y"]})

    def test_freezing_leaves_the_head(self) -> None:
        model = network()
        assert wb.freeze(model, wb.advise(model, data=data())) == ("stem", "stem_bn", "left", "right")
        assert [v.path for v in model.trainable_variables] == ["head/kernel", "head/bias"]
        with pytest.raises(PlanError, match="holds no advice"):
            wb.freeze(model, wb.inspect(model))


def compiled(rate: float = 0.1) -> Any:
    import keras

    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
    return model


def moved(model: Any, before: list[Any]) -> dict[str, float]:
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    return {weight.path: float(np.abs(new - old).sum()) for weight, old, new in pairs}


GROUPS = (("stem", "stem_bn"), ("left", "right"), ("head",))


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
class TestCallbacks:
    def test_layers_are_unfrozen_when_the_metric_stops_improving(self) -> None:
        from weightbridge.keras import GradualUnfreezing

        model, given = compiled(), data()
        before = model.get_weights()
        callback = GradualUnfreezing(GROUPS, monitor="val_loss", patience=1, min_delta=100.0)
        x, y = given["x"], given["y"]
        model.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[callback], verbose=0)
        assert callback.unfrozen == [(0, 1), (2, 2)]
        changed = {path for path, far in moved(model, before).items() if far > 0}
        assert changed == {"head/kernel", "head/bias"}, "frozen norms keep their statistics"
        model.fit(x, y, epochs=4, validation_data=(x, y), callbacks=[callback], verbose=0)
        assert callback.unfrozen[-1][1] == 3
        assert all(far > 0 for far in moved(model, before).values())

    def test_what_is_unfrozen_late_moves_no_further_than_the_rate(self) -> None:
        """Adam after many steps: its moments start from zero, so its count of steps has to."""
        import keras
        from keras.optimizers import Adam, schedules

        from weightbridge.keras import GradualUnfreezing

        model, given = compiled(), data(32)
        rate = schedules.PolynomialDecay(0.02, 10_000, 0.0)
        model.compile(Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.optimizer.build(model.trainable_variables)
        model.optimizer.iterations.assign(5_000)
        before = model.get_weights()
        callback = GradualUnfreezing(GROUPS, monitor="loss", patience=1, min_delta=100.0)
        model.fit(given["x"], given["y"], batch_size=32, epochs=10, callbacks=[callback], verbose=0)
        assert callback.unfrozen == [(0, 1), (2, 2), (3, 3)]
        paths = [weight.path for weight in model.weights]
        n = paths.index("left/kernel")
        assert 0 < np.abs(model.get_weights()[n] - before[n]).max() < 9 * 0.01
        assert float(model.optimizer.learning_rate) == pytest.approx(0.01, rel=0.02)
        again = keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer))
        assert float(again.learning_rate) > 0

    def test_a_metric_that_improves_unfreezes_nothing(self) -> None:
        from weightbridge.keras import GradualUnfreezing

        model, given = compiled(), data()
        callback = GradualUnfreezing(GROUPS, monitor="loss", patience=1, min_delta=-1.0)
        model.fit(given["x"], given["y"], epochs=3, callbacks=[callback], verbose=0)
        assert callback.unfrozen == [(0, 1)]

    def test_lower_groups_take_smaller_steps(self) -> None:
        from weightbridge.keras import DiscriminativeRates

        given, far = data(32), []
        for callbacks in ([], [DiscriminativeRates(GROUPS, divisor=4)]):
            model = compiled()
            before = model.get_weights()
            model.fit(given["x"], given["y"], batch_size=32, shuffle=False, callbacks=callbacks, verbose=0)
            far.append(moved(model, before))
        plain, scaled = far
        wanted = {"stem/kernel": 1 / 16, "left/kernel": 1 / 4, "head/kernel": 1.0, "stem_bn/moving_mean": 1.0}
        for path, ratio in wanted.items():
            assert scaled[path] == pytest.approx(ratio * plain[path], rel=1e-2), path

    def test_weights_are_pulled_to_where_they_start(self) -> None:
        from weightbridge.keras import L2SP

        given, far = data(), []
        for callbacks in ([], [L2SP(GROUPS, strength=5.0, head_strength=0.0)]):
            model = compiled(0.05)
            before = model.get_weights()
            model.fit(given["x"], given["y"], epochs=20, callbacks=callbacks, verbose=0)
            far.append(moved(model, before))
            assert all(variable.regularizer is None for variable in model.trainable_variables)
        assert far[1]["left/kernel"] < 0.5 * far[0]["left/kernel"]
        assert far[1]["head/kernel"] > 0.5 * far[0]["head/kernel"]

    @pytest.mark.parametrize(
        "groups", [(("nothing",), ("head",)), ("stem", "head"), ()], ids=["name", "flat", "none"]
    )
    def test_groups_of_other_layers_are_refused(self, groups: Any) -> None:
        from weightbridge.keras import DiscriminativeRates

        given = data(32)
        with pytest.raises(UsageError):
            compiled().fit(given["x"], given["y"], callbacks=[DiscriminativeRates(groups)], verbose=0)
