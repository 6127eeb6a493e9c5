"""Transfer into a live model: what arrives, and that nothing changes whatever goes wrong on the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge.errors import PlanError, Unsupported, UsageError

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning"
    ),  # TensorFlow under NumPy 2, while Keras saves
]


def functional(seed: int, **options: Any) -> Any:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(seed)
    image = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(5, 3, activation="relu", name="first", **options)(image)
    x = layers.BatchNormalization(name="norm", **options)(x)
    x = layers.Conv2D(5, 3, activation="relu", name="second", **options)(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(3, name="head", **options)(x))
    norm, random = model.get_layer("norm"), np.random.default_rng(seed)
    norm.set_weights([random.uniform(0.5, 2.0, w.shape) for w in norm.get_weights()])
    return model


def sequential(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(4, activation="tanh", name="a"),
        keras.layers.Dense(4, name="b"),
        keras.layers.Dense(2, name="c"),
    ]
    return keras.Sequential([keras.Input((4,)), *layers])


def nested(seed: int) -> Any:
    import keras

    x = keras.Input((4,))
    inner = sequential(seed)
    return keras.Model(x, keras.layers.Dense(3, name="top")(inner(x)))


def shared(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    a, b, both = keras.Input((4,), name="a"), keras.Input((4,), name="b"), keras.layers.Dense(3, name="both")
    return keras.Model(
        [a, b], keras.layers.Dense(2, name="out")(keras.layers.Concatenate(name="joined")([both(a), both(b)]))
    )


def subclassed(seed: int) -> Any:
    import keras

    class Network(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = (
                keras.layers.Dense(4, name="first"),
                keras.layers.Dense(2, name="second"),
            )

        def call(self, x: Any) -> Any:
            return self.second(self.first(x))

    keras.utils.set_random_seed(seed)
    model = Network()
    model(np.zeros((1, 4), "float32"))
    return model


def normalized(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    norm = keras.layers.Normalization(name="norm")
    norm.adapt(np.random.default_rng(seed).normal(seed, seed + 1, size=(30, 4)))
    return keras.Sequential([keras.Input((4,)), norm, keras.layers.Dense(3, name="head")])


def half(seed: int) -> Any:
    return functional(seed, dtype="mixed_float16")


def bits(model: Any) -> list[bytes]:
    """Everything that the model and its optimizer hold."""
    held = [*model.variables, *(model.optimizer.variables if getattr(model, "optimizer", None) else ())]
    return [np.asarray(v).tobytes() for v in held]


def weights(model: Any) -> list[bytes]:
    return [w.tobytes() for w in model.get_weights()]


MODELS = {
    "functional": (functional, "actual"),
    "sequential": (sequential, "actual"),
    "nested": (nested, "actual"),
    "shared-layer": (shared, "actual"),
    "normalization": (normalized, "actual"),
    "mixed-precision": (half, "actual"),
    "subclassed": (subclassed, "actual"),
}


@pytest.mark.parametrize(("build", "mode"), MODELS.values(), ids=MODELS.keys())
def test_a_live_model_gets_the_weights(build: Callable[[int], Any], mode: str) -> None:
    source, target = build(0), build(1)
    report = wb.transfer(source, target)
    assert (report.verdict, report.verification.mode) == ("pass", mode)
    assert weights(target) == weights(source)
    assert report.verification.evidence["read_back"] == len(report.plan.steps)


def of_two(seed: int) -> Any:
    import keras

    class Network(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.rows, self.last = (
                keras.layers.Embedding(9, 3, name="rows"),
                keras.layers.Dense(2, name="last"),
            )

        def sum(self, ids: Any, x: Any) -> Any:
            return self.last(keras.ops.mean(self.rows(ids), 1) + x)

    class OfTwo(Network):
        def call(self, ids: Any, x: Any) -> Any:
            return self.sum(ids, x)

    keras.utils.set_random_seed(seed)
    ids, x = np.zeros((1, 4), "int32"), np.zeros((1, 3), "float32")
    model = OfTwo()
    model(ids, x)
    return model


def test_a_live_model_that_cannot_be_called_is_said() -> None:
    source, target = of_two(0), of_two(1)
    report = wb.transfer(source, target)
    assert (report.verdict, report.verification.mode) == ("warn", "read-back")
    assert "was not called" in next(f.message for f in report.findings if f.code == "WB503")
    assert weights(target) == weights(source)


def test_a_normalization_computes_with_what_it_got() -> None:
    source, target = normalized(0), normalized(1)
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    wb.transfer(source, target)
    np.testing.assert_array_equal(source(x), target(x))


def test_from_a_file_and_with_other_names(tmp_path: Path) -> None:
    import keras

    functional(0).save(tmp_path / "source.keras")
    target = keras.models.clone_model(
        functional(1),
        clone_function=lambda layer: type(layer).from_config(
            layer.get_config() | {"name": f"my_{layer.name}"}
        ),
    )
    assert wb.transfer(tmp_path / "source.keras", target).verdict == "pass"
    assert weights(target) == weights(functional(0))


def trained(seed: int) -> Any:
    """A compiled model with momenta in its optimizer."""
    model = functional(seed)
    model.compile("adam", "mse")
    random = np.random.default_rng(0)
    model.fit(random.normal(size=(4, 8, 8, 2)), random.normal(size=(4, 3)), verbose=0)
    return model


def test_the_optimizer_and_what_is_trainable_stay() -> None:
    target = trained(1)
    target.get_layer("first").trainable = False
    before = [np.asarray(v).tobytes() for v in target.optimizer.variables]
    wb.transfer(functional(0), target)
    assert [np.asarray(v).tobytes() for v in target.optimizer.variables] == before
    assert [layer.trainable for layer in target.layers if layer.weights] == [False, True, True, True]
    target.fit(np.ones((4, 8, 8, 2)), np.ones((4, 3)), verbose=0)
    assert weights(target) != weights(functional(0))


def stranger(_: Path) -> dict[str, Any]:
    """A finding at fail-on, before anything is written."""
    return {"source": sequential(0)}


def poisoned(_: Path) -> dict[str, Any]:
    """NaN comes to light when values are read: half of the model has been written by then."""
    source = functional(0)
    source.get_layer("second").bias.assign([np.nan] * 5)
    return {"source": source}


def swapped(folder: Path) -> dict[str, Any]:
    """A plan that says `bitwise` and puts two vectors of one shape into each other's place.

    The models then differ when they run.
    """
    source = functional(0)
    plan = wb.plan(source, functional(1))
    other = {"norm/moving_mean": "norm/gamma", "norm/gamma": "norm/moving_mean"}
    steps = tuple(replace(s, sources=(other[s.target],)) if s.target in other else s for s in plan.steps)
    replace(plan, steps=steps, target_sha256=None).save(folder / "plan.json")
    return {"source": source, "plan": folder / "plan.json"}


FAILED = {
    "findings": (stranger, "WB309"),
    "not-finite": (poisoned, "WB106"),
    "verification": (swapped, "WB401"),
}


@pytest.mark.parametrize(("make", "code"), FAILED.values(), ids=FAILED.keys())
def test_a_failed_verdict_leaves_the_old_values(
    make: Callable[[Path], dict[str, Any]], code: str, tmp_path: Path
) -> None:
    target = trained(1)
    before = bits(target)
    with pytest.raises(wb.VerdictError) as failed:
        wb.transfer(**make(tmp_path), target=target)
    assert failed.value.report.exit_code == 1
    assert code in [f.code for f in failed.value.report.findings]
    assert bits(target) == before


def test_fail_on_never_keeps_the_new_values() -> None:
    target = functional(1)
    report = wb.transfer(**poisoned(Path()), target=target, fail_on="never", verify=False)
    assert report.exit_code == 0
    assert np.isnan(target.get_layer("second").get_weights()[1]).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
@pytest.mark.parametrize("at", [1, 3, 6])
def test_whatever_is_raised_in_the_middle_leaves_the_old_values(error: type[BaseException], at: int) -> None:
    target, seen = trained(1), []
    before = bits(target)

    def progress(stage: str, done: int, total: int) -> None:
        if stage != "moving tensors":
            return
        seen.append(done)
        if len(seen) == at:
            assert bits(target) != before
            raise error

    with pytest.raises(error):
        wb.transfer(functional(0), target, progress=progress)
    assert bits(target) == before


def test_a_step_that_cannot_be_carried_out_leaves_the_old_values(tmp_path: Path) -> None:
    """The last step of the plan turns a vector as if it were a matrix."""
    source, target = functional(0), trained(1)
    plan, before = wb.plan(source, target), bits(target)
    replace(plan, steps=(*plan.steps[:-1], replace(plan.steps[-1], transform="i o -> o i"))).save(
        tmp_path / "plan.json"
    )
    with pytest.raises(PlanError, match=r"steps\[\d+\] \(head/bias\)"):
        wb.transfer(source, target, plan=tmp_path / "plan.json")
    assert bits(target) == before


def test_a_model_that_reads_its_own_weights_gets_them_as_they_were(tmp_path: Path) -> None:
    """The plan of one model with itself swaps two kernels: none is read after it was overwritten."""
    model = sequential(0)
    plan = wb.plan(model, model)
    other = {"a/kernel": "b/kernel", "b/kernel": "a/kernel"}
    replace(plan, steps=tuple(replace(s, sources=(other.get(s.target, s.target),)) for s in plan.steps)).save(
        tmp_path / "plan.json"
    )
    a, _, b, *_ = model.get_weights()
    wb.transfer(model, model, plan=tmp_path / "plan.json", verify=False)
    assert (model.get_weights()[0].tobytes(), model.get_weights()[2].tobytes()) == (b.tobytes(), a.tobytes())


def test_no_verify_still_reads_back() -> None:
    report = wb.transfer(functional(0), functional(1), verify=False)
    assert report.verification.evidence == {"read_back": 10, "reason": "--no-verify: no model was run"}


def test_a_model_that_was_never_built_is_refused() -> None:
    import keras

    with pytest.raises(Unsupported, match="never built"):
        wb.transfer(sequential(0), keras.Sequential([keras.layers.Dense(4)]))


@pytest.mark.parametrize("target", [{"kernel": 1}, np.zeros(3)], ids=["dict", "array"])
def test_what_is_no_model_is_refused(target: Any) -> None:
    with pytest.raises(UsageError, match=r"keras\.Model"):
        wb.transfer(sequential(0), target)


def test_a_plan_for_another_model_is_refused(tmp_path: Path) -> None:
    wb.plan(sequential(0), sequential(1)).save(tmp_path / "plan.json")
    target = functional(1)
    before = bits(target)
    with pytest.raises(PlanError, match="has changed"):
        wb.transfer(sequential(0), target, plan=tmp_path / "plan.json")
    assert bits(target) == before
