"""--adapt fit: a small residual network into an Inception, by files, plans and live models."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge.errors import PlanError, RunError, UsageError
from weightbridge.model.tensors import Array

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # TensorFlow, NumPy 2
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source whose features are worth something (its BatchNorm is calibrated), a target, and inputs."""
    from weightbridge.formats.keras.framework import demo

    made = tmp_path_factory.mktemp("fit")
    x = _images(160)
    source = demo.resnet((8, 8, 1), 5, seed=0, widths=(8, 12), blocks=1)
    demo.calibrate(source, x)
    demo.save(source, made / "source.keras")
    demo.save(demo.inception((8, 8, 1), 5, seed=1), made / "target.keras")
    np.savez(made / "x.npz", x=x)
    return made


def _images(count: int) -> Array:
    """Smooth random images."""
    random = np.random.default_rng(0)
    coarse = random.standard_normal((count, 4, 4, 1)).astype("float32")
    return np.asarray(
        coarse.repeat(2, 1).repeat(2, 2) + 0.3 * random.standard_normal((count, 8, 8, 1)), "float32"
    )


@pytest.fixture(scope="module")
def fitted(folder: Path) -> wb.Report:
    return wb.transfer(folder / "source.keras", folder / "target.keras", folder / "out.keras", **_fit(folder))


@pytest.fixture(scope="module")
def plan(folder: Path) -> wb.Plan:
    return wb.plan(folder / "source.keras", folder / "target.keras", **_fit(folder))


def _fit(folder: Path) -> dict[str, Any]:
    return {"adapt": "fit", "calibrate": folder / "x.npz"}


def _loaded(path: Path) -> Any:
    from weightbridge.formats.keras.framework import demo

    return demo.load(path)


def test_the_target_predicts_what_the_source_says(folder: Path, fitted: wb.Report) -> None:
    from weightbridge.formats.keras.framework import demo

    x = _images(400)[160:]  # not those that it was fitted to
    wanted, found, fresh = (
        demo.outputs(_loaded(folder / name), x) for name in ("source.keras", "out.keras", "target.keras")
    )
    assert _r2(wanted, found) > 0.3
    assert _r2(wanted, fresh) < 0.1
    assert fitted.verdict == "warn"


def test_every_tensor_says_what_it_was_fitted_to(folder: Path, fitted: wb.Report) -> None:
    assert fitted.plan is not None
    steps = [step for step in fitted.plan.steps if step.transform == "fitted"]
    assert len(steps) > 60
    assert all(step.kind == "adapt" and step.contract == "lossy" and step.sources for step in steps)
    assert any("R2" in step.cost for step in steps)
    assert not [step for step in fitted.plan.steps if step.kind == "fresh"]
    assert not fitted.plan.unused
    assert fitted.findings[0].code == "WB302"
    assert {finding.code for finding in fitted.findings} <= {"WB302", "WB308"}


def test_a_plan_is_carried_out_again_bit_by_bit(
    folder: Path, fitted: wb.Report, plan: wb.Plan, tmp_path: Path
) -> None:
    plan.save(tmp_path / "plan.json")
    assert _replayed(folder, tmp_path).digests == fitted.digests
    assert plan.fit is not None
    assert plan.fit.score is not None
    assert plan.fit.score > 0.1
    assert plan.fit.control is not None
    assert plan.fit.score > plan.fit.control  # of a start without the source
    assert (plan.fit.cuts[-1].target, plan.fit.cuts[-1].source) == ("logits", "logits")


def test_an_edited_cut_is_obeyed(folder: Path, plan: wb.Plan, tmp_path: Path) -> None:
    plan.save(tmp_path / "plan.json")
    data = json.loads((tmp_path / "plan.json").read_text())
    data["fit"]["cuts"][1]["source"] = "stem_relu"
    (tmp_path / "plan.json").write_text(json.dumps(data))
    report = _replayed(folder, tmp_path)
    assert report.plan is not None
    assert {s.parameters["cut"] for s in report.plan.steps if s.target.startswith("mixed0_1x1")} == {
        "stem_relu"
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": "0" * 64}, "other calibration inputs"),
        ({"cuts": [{"target": "a", "source": "b"}]}, "no cut"),
    ],
    ids=["other inputs", "no such cut"],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(
    folder: Path, plan: wb.Plan, tmp_path: Path, change: Mapping[str, Any], said: str
) -> None:
    plan.save(tmp_path / "plan.json")
    data = json.loads((tmp_path / "plan.json").read_text())
    data["fit"] |= change
    (tmp_path / "plan.json").write_text(json.dumps(data))
    with pytest.raises(PlanError, match=said):
        _replayed(folder, tmp_path)


def _replayed(folder: Path, place: Path) -> wb.Report:
    return wb.transfer(
        folder / "source.keras",
        folder / "target.keras",
        place / "out.keras",
        plan=place / "plan.json",
        calibrate=folder / "x.npz",
        verify=False,
    )


def test_a_live_model_gets_the_same_values(folder: Path, fitted: wb.Report) -> None:
    source, target = _loaded(folder / "source.keras"), _loaded(folder / "target.keras")
    before = [np.array(weight) for weight in source.get_weights()]
    report = wb.transfer(source, target, **_fit(folder), verify=False)
    assert report.digests == fitted.digests
    assert all(map(np.array_equal, before, source.get_weights()))


def test_a_live_model_keeps_its_values_where_nothing_is_transferred(folder: Path) -> None:
    target = _loaded(folder / "target.keras")
    before = [np.array(weight) for weight in target.get_weights()]
    with pytest.raises(wb.VerdictError):
        wb.transfer(folder / "source.keras", target, **_fit(folder), min_coverage=0.9)
    assert all(map(np.array_equal, before, target.get_weights()))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.ones((20, 8, 8, 1)), "b": np.ones(3)}, "no array for"),
        ({"x": np.ones((4, 8, 8, 1))}, "4 inputs"),
        ({"x": np.full((20, 8, 8, 1), np.nan)}, "NaN"),
        ({"x": np.ones((20, 8, 8, 1)), "y": np.ones(3)}, "labels of shape"),
        ({"x": np.ones((20, 8, 8, 3))}, "expected"),
        ({"x": np.ones((20, 8, 8, 1))}, "all the same"),
    ],
    ids=["no x", "too few", "not finite", "too few labels", "another shape", "constant"],
)
def test_wrong_inputs_are_refused(
    folder: Path, tmp_path: Path, arrays: Mapping[str, Array], said: str
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    models = folder / "source.keras", folder / "target.keras"
    with pytest.raises(wb.WeightbridgeError, match=said):
        wb.check(*models, adapt="fit", calibrate=tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"adapt": "fit"}, "needs inputs"), ({"calibrate": "x.npz"}, "this writes no model")],
    ids=["fit without inputs", "inputs without fit"],
)
def test_fit_and_inputs_go_together(folder: Path, options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wb.check(folder / "source.keras", folder / "target.keras", **options)


def test_a_head_of_other_classes_stays_as_it_was(folder: Path) -> None:
    """Which of seven stand for which of five nobody knows; what is below the head is fitted."""
    target = _plain((8, 8, 1), 7)
    before = [np.array(weight) for weight in target.get_weights()]
    report = wb.transfer(folder / "source.keras", target, **_fit(folder), verify=False)
    assert any(
        "it gives 7 values and the source 5" in f.message for f in report.findings if f.code == "WB302"
    )
    unchanged = [np.array_equal(old, new) for old, new in zip(before, target.get_weights(), strict=True)]
    assert unchanged == [False, False, True, True]


def test_a_target_for_other_inputs_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="the target takes"):
        wb.transfer(folder / "source.keras", _plain((16, 16, 1), 5), **_fit(folder), verify=False)


def test_a_source_that_gives_nan_is_refused(folder: Path) -> None:
    source = _plain((8, 8, 1), 5)
    source.layers[0].set_weights([np.full_like(w, 3e38) for w in source.layers[0].get_weights()])
    with pytest.raises(RunError, match=f"{source.layers[0].name} gives NaN or Inf"):
        wb.transfer(source, _loaded(folder / "target.keras"), **_fit(folder), verify=False)


def test_what_reads_a_part_of_a_map_is_fitted_and_what_cannot_be_is_said(folder: Path) -> None:
    from keras import Input, Model, layers

    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image := Input((8, 8, 1)))
    part = layers.BatchNormalization()(layers.Conv2D(8, 1, use_bias=False)(x[..., 8:]))
    x = layers.Concatenate()([x[..., :8], layers.ReLU()(part)])
    x = layers.Conv2DTranspose(8, 2, activation="relu", name="up")(layers.Conv2D(8, 3, activation="relu")(x))
    target = Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    report = wb.transfer(folder / "source.keras", target, **_fit(folder), verify=False)
    (lossy,) = [found for found in report.findings if found.code == "WB302"]
    assert "1 stay as initialised (up: no least squares for this kind of layer)" in lossy.message
    assert "cropped" in {arm["name"] for arm in report.verification.evidence["fit"]["arms"]}


def _plain(shape: tuple[int, ...], classes: int) -> Any:
    from keras import Sequential, layers

    inner = layers.Conv2D(8, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(classes)
    return Sequential([layers.Input(shape), *inner])


def _r2(wanted: Array, found: Array) -> float:
    left = ((wanted - found) ** 2).sum()
    return float(1 - left / ((wanted - wanted.mean(0)) ** 2).sum())


def test_what_it_is_worth_stands_beside_controls(fitted: wb.Report) -> None:
    fit = fitted.verification.evidence["fit"]
    arms = {arm["name"]: arm for arm in fit["arms"]}
    assert set(arms) == {
        "fitted",
        "random, calibrated",
        "random, calibrated, head in closed form",
        "cropped",
    }
    assert arms["fitted"]["logit_r2"] > arms["random, calibrated"]["logit_r2"]
    assert fit["fitted_to"] + fit["judged_on"] == 160
    assert len(fit["layers"]) == 14
    assert "agrees with the source for" in fitted.to_markdown()


def test_a_fit_to_noise_is_said_to_be_of_no_use(folder: Path, tmp_path: Path) -> None:
    """Labels that nothing can tell: the fit is not better than the controls by more than chance."""
    from weightbridge.formats.keras.framework import demo

    x = _images(60)
    source = _loaded(folder / "source.keras")
    source.get_layer("logits").set_weights([np.zeros((12, 5), "f4"), np.arange(5, dtype="f4")])
    demo.save(source, tmp_path / "constant.keras")
    np.savez(tmp_path / "x.npz", x=x)
    report = wb.transfer(
        tmp_path / "constant.keras",
        folder / "target.keras",
        tmp_path / "out.keras",
        adapt="fit",
        calibrate=tmp_path / "x.npz",
        verify=False,
        on_fail="return",
    )
    assert "WB308" in {finding.code for finding in report.findings}


def test_what_is_known_before_stands_in_a_check_and_warns(folder: Path) -> None:
    """Inputs from Python, too; a source that says the same of all inputs is worth nothing."""
    source, target = _loaded(folder / "source.keras"), _loaded(folder / "target.keras")
    report = wb.check(source, target, adapt="fit", calibrate={"x": _images(60)})
    fit = report.verification.evidence["fit"]
    over = f"{fit['score'] - fit['control']:+.2f} over R2 {fit['control']:.2f} of the best start without"
    assert over in " ".join(str(report).split())
    source.get_layer("logits").set_weights([np.zeros((12, 5), "f4"), np.arange(5, dtype="f4")])
    report = wb.check(source, target, adapt="fit", calibrate={"x": _images(60)})
    assert [found.code for found in report.findings] == ["WB308"]


def test_noise_instead_of_inputs_is_said_to_be_worth_less(folder: Path) -> None:
    source, target = _loaded(folder / "source.keras"), _loaded(folder / "target.keras")
    report = wb.transfer(source, target, adapt="fit", calibrate="noise", verify=False)
    assert any("there were no inputs" in found.message for found in report.findings)
    assert report.verdict == "warn"
    assert all(np.isfinite(weight).all() for weight in target.get_weights())


def test_a_plan_that_knows_no_control_is_carried_out(folder: Path, plan: wb.Plan, tmp_path: Path) -> None:
    plan.save(tmp_path / "plan.json")
    data = json.loads((tmp_path / "plan.json").read_text())
    del data["fit"]["control"]
    (tmp_path / "plan.json").write_text(json.dumps(data))
    assert _replayed(folder, tmp_path).verdict == "warn"


def test_attention_is_refused(folder: Path, tmp_path: Path) -> None:
    import keras

    x = keras.layers.Input((8, 8, 1))
    y = keras.layers.Conv2D(8, 4, strides=4)(x)
    y = keras.layers.Reshape((4, 8))(y)
    y = keras.layers.MultiHeadAttention(2, 4)(y, y)
    y = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling1D()(y))
    transformer = keras.Model(x, y)
    report = wb.check(folder / "source.keras", transformer, **_fit(folder))
    assert "WB309" in {finding.code for finding in report.findings}
    assert any("attention" in finding.message for finding in report.findings)
