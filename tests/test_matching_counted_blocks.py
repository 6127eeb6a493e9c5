"""Blocks that one counter numbers over all stages, where a block is added or left out in the middle."""

from typing import Any

import numpy as np
import pytest

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]
WIDTHS = (8, 12, 16)


def network(repeats: tuple[int, ...], seed: int, widths: tuple[int, ...] = WIDTHS) -> Any:
    """Inverted residual blocks, named as Keras names those of MobileNetV2."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(seed)
    image = keras.Input((16, 12, 3))
    x = layers.Conv2D(widths[0], 3, padding="same", name="Conv1")(image)
    stages = [(width, n) for width, blocks in zip(widths, repeats, strict=True) for n in range(blocks)]
    for number, (width, n) in enumerate(stages):
        name, strides = f"block_{number}_", 2 if n == 0 and width != widths[0] else 1
        y = layers.Conv2D(16, 1, use_bias=False, name=f"{name}expand")(x)
        y = layers.ReLU(6.0)(layers.BatchNormalization(name=f"{name}expand_BN")(y))
        y = layers.DepthwiseConv2D(3, strides, padding="same", name=f"{name}depthwise")(y)
        y = layers.Conv2D(width, 1, use_bias=False, name=f"{name}project")(layers.ReLU(6.0)(y))
        y = layers.BatchNormalization(name=f"{name}project_BN")(y)
        x = layers.Add()([x, y]) if strides == 1 and x.shape[-1] == width else y
    model = keras.Model(image, layers.Dense(5, name="head")(layers.GlobalAveragePooling2D()(x)))
    random = np.random.default_rng(seed)
    for weight in model.weights:  # trained: no statistic, scale or shift is what an initialiser gives
        if weight.path.endswith(("gamma", "beta", "moving_mean", "moving_variance", "bias")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.mark.parametrize("deeper", [(1, 3, 2), (2, 2, 2), (1, 4, 3)], ids=["second", "first", "two-stages"])
def test_a_block_in_the_middle_keeps_the_function(deeper: tuple[int, ...]) -> None:
    source, target = network((1, 2, 2), 1), network(deeper, 2)
    report = wb.transfer(source, target, verify=False)
    x = np.random.default_rng(0).standard_normal((3, 16, 12, 3)).astype("f4")
    np.testing.assert_allclose(target(x), source(x), atol=1e-4)
    assert {found.code for found in report.findings if found.severity != "note"} == {"WB205"}


def test_a_block_that_is_left_out_moves_no_other() -> None:
    plan = wb.plan(network((1, 3, 2), 1), network((1, 2, 2), 2))
    taken = {step.target: step.sources for step in plan.steps}
    assert taken["block_3_project/kernel"] == ("block_4_project/kernel",)
    assert taken["block_2_project/kernel"] == ("block_2_project/kernel",)


def test_wider_blocks_are_joined_by_their_numbers() -> None:
    """No block equals another one by its sizes: the order says no more than the names."""
    plan = wb.plan(network((1, 2, 2), 1), network((1, 2, 2), 2, (16, 24, 32)))
    assert all(
        {source.split("/")[0] for source in step.sources} == {step.target.split("/")[0]}
        for step in plan.steps
    )
