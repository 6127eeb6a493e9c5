"""RequireTransfer: a real fit starts from what a transfer wrote, and from nothing else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge.errors import UsageError, VerdictError

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
X, Y = np.random.default_rng(0).random((16, 8), "f4"), np.random.default_rng(1).random((16, 3), "f4")


def plain(seed: int, outputs: int = 3, head: str = "head") -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    x = layers.Input((8,), name="x")
    inner = keras.Sequential([layers.Input((6,)), layers.Dense(5, name="deep")], name="inner")
    y = layers.Dropout(0.1)(inner(layers.Dense(6, name="body")(x)))
    return keras.Model(x, layers.Dense(outputs, name=head)(layers.BatchNormalization(name="norm")(y)))


def build(seed: int, outputs: int = 3, head: str = "head") -> Any:
    model = plain(seed, outputs, head)
    model.compile("adam", "mse")
    return model


def fit(model: Any, *callbacks: Any, **options: Any) -> None:
    model.fit(X, Y[:, : model.output_shape[-1]], verbose=0, callbacks=list(callbacks), **options)


def required(report: Any, **options: Any) -> Any:
    from weightbridge.keras import RequireTransfer

    return RequireTransfer(report, **options)


@pytest.fixture
def transferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model as Keras loads it from what a transfer wrote; the report is transfer.json."""
    import keras

    monkeypatch.chdir(tmp_path)
    plain(1).save("source.keras")
    plain(2).save("target.keras")
    report = wb.transfer("source.keras", "target.keras", "out.keras", verify=False)
    Path("transfer.json").write_text(json.dumps(report.to_dict()))
    model = keras.models.load_model("out.keras")
    model.compile("adam", "mse")
    return model


def test_it_starts_after_a_transfer_and_not_after_a_fit(transferred: Any) -> None:
    fit(transferred, required("transfer.json"))
    before = [weight.copy() for weight in transferred.get_weights()]
    with pytest.raises(VerdictError) as raised:
        fit(transferred, required("transfer.json"))
    text = str(raised.value)
    assert "10 of 10 tensors are not what transfer.json says" in text
    assert text.count("other values than the transfer wrote (bitwise)") == 3
    assert "body/kernel: other values" in text
    assert "and 7 more. Training was not started" in text
    assert raised.value.report.command == "transfer"
    assert all(map(np.array_equal, before, transferred.get_weights()))


def test_in_place_and_a_report_object(transferred: Any) -> None:
    model = build(4)
    report = wb.transfer("source.keras", model, verify=False)
    fit(model, required(report))
    with pytest.raises(VerdictError, match="the transfer's report says"):
        fit(model, required(report))
    wb.transfer("source.keras", model, verify=False)
    fit(model, required(report))


def test_one_value_is_enough(transferred: Any) -> None:
    kernel = transferred.get_layer("inner").get_layer("deep").kernel
    value = np.array(kernel)
    value[0, 0] = np.nextafter(value[0, 0], np.float32(9))
    kernel.assign(value)
    with pytest.raises(
        VerdictError, match=r"1 of 10 tensors are not .* says: inner/deep/kernel: other values"
    ):
        fit(transferred, required("transfer.json"))
    fit(transferred, required("transfer.json", allow=["inner/deep/*"]))


def test_only_a_warning_is_asked_for(transferred: Any) -> None:
    fit(transferred)
    with pytest.warns(UserWarning, match="10 of 10 tensors are not") as warned:
        fit(transferred, required("transfer.json", on_mismatch="warn"))
    assert "Training was not started" not in str(warned[0].message)


def test_training_that_goes_on(transferred: Any) -> None:
    fit(transferred, required("transfer.json"))
    with pytest.warns(UserWarning, match="training goes on at epoch 2"):
        fit(transferred, required("transfer.json"), initial_epoch=1, epochs=2)


def test_what_was_left_fresh_may_hold_anything(transferred: Any) -> None:
    model = build(5, outputs=2, head="label")
    report = wb.transfer("source.keras", model, fresh=["label/*"], unused=["head/*"], verify=False)
    model.get_layer("label").kernel.assign(np.ones((5, 2)))
    fit(model, required(report))


def test_another_model(transferred: Any) -> None:
    with pytest.raises(VerdictError) as raised:
        fit(build(1, head="label"), required("transfer.json"))
    text = str(raised.value)
    assert "label/kernel: the transfer knows no such variable" in text or "and" in text
    allowed = ["label/*", "head/*", "body", "inner/deep", "norm"]
    fit(build(1, head="label"), required("transfer.json", allow=allowed))
    with pytest.raises(VerdictError, match=r"its shape is \(5, 2\), expected \(5, 3\)"):
        fit(build(1, outputs=2), required("transfer.json", allow=["body", "inner/*", "norm", "head/bias"]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: required("nope.json"), "No such file"),
        (lambda: required("source.keras"), "no JSON report"),
        (lambda: required(wb.check("source.keras", "target.keras")), "this check has no digests"),
        (lambda: required("transfer.json", on_mismatch="ignore"), "expected 'raise' or 'warn'"),
        (lambda: fit(build(1), required("transfer.json", allow="nope/*")), "names no tensor and no layer"),
    ],
)
def test_what_cannot_be_required(transferred: Any, given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        given()
