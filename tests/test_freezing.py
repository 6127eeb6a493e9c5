"""freeze: what was transferred exactly is not trained further, everything else is, and a plan for another
model is refused.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge.errors import PlanError

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning"
    ),  # TensorFlow under NumPy 2, while Keras saves
]


def network(seed: int, classes: int = 3, width: int = 4) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    trunk = [
        layers.Conv2D(width, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
    ]
    tail = [layers.Flatten(name="flat"), layers.Dense(classes, name="head")]
    return keras.Sequential([layers.Input((5, 5, 2)), *trunk, *tail], name="network")


def planned(folder: Path, source: Any, target: Any) -> wb.Plan:
    source.save(folder / "source.keras")
    return wb.plan(folder / "source.keras", target, fresh="head/*", unused="head/*")


def trainable(model: Any) -> dict[str, bool]:
    return {layer.name: layer.trainable for layer in model.layers if layer.weights}


def test_all_but_the_new_head_is_frozen(tmp_path: Path) -> None:
    target = network(1, classes=7)
    assert wb.freeze(target, planned(tmp_path, network(0), target)) == ("conv", "norm")
    assert trainable(target) == {"conv": False, "norm": False, "head": True}


def test_a_lossy_layer_is_trained_further(tmp_path: Path) -> None:
    target = network(1, width=3)
    wb.freeze(target, planned(tmp_path, network(0, width=4), target))
    assert trainable(target) == {"conv": True, "norm": True, "head": True}


def test_a_second_plan_sets_what_the_first_has_frozen(tmp_path: Path) -> None:
    target = network(1)
    plan = planned(tmp_path, network(0), target)
    wb.freeze(target, plan)
    fresh = tuple(replace(step, kind="fresh", contract="fresh", sources=()) for step in plan.steps)
    assert wb.freeze(target, replace(plan, steps=fresh)) == ()
    assert all(trainable(target).values())


def test_training_leaves_what_is_frozen_as_it_is(tmp_path: Path) -> None:
    target = network(1, classes=7)
    wb.freeze(target, planned(tmp_path, network(0), target))
    before = [weight.copy() for weight in target.get_weights()]
    target.compile("sgd", "mse")
    random = np.random.default_rng(0)
    target.fit(random.normal(3, 2, size=(8, 5, 5, 2)), random.normal(size=(8, 7)), verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, target.get_weights(), strict=True)]
    assert changed == [False] * 6 + [True] * 2


def test_a_plan_for_another_model_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    target, other = network(1), network(1)
    plan = planned(tmp_path, network(0), target)
    with pytest.raises(PlanError, match="another model"):
        wb.freeze(other, replace(plan, steps=plan.steps[1:]))
    assert all(trainable(other).values())
