"""--depth: which block of the source each block of a deeper or shallower target starts as."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge.adapters.propose.deeper.depth_maps import giver
from weightbridge.boundary.options import Depth
from weightbridge.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
WIDTH = 8


@pytest.mark.parametrize(
    ("depth", "ours", "theirs", "expected"),
    [
        ("last", 4, 2, (0, 1, 1, 1)),
        ("stack", 5, 2, (0, 1, 0, 1, 0)),
        ("interlace", 5, 2, (0, 0, 0, 1, 1)),
        ("last", 2, 4, (0, 1)),
        ("stack", 2, 4, (0, 1)),
        ("interlace", 2, 4, (0, 2)),
        ("interlace", 3, 1, (0, 0, 0)),
    ],
)
def test_which_block_gives(depth: Depth, ours: int, theirs: int, expected: tuple[int, ...]) -> None:
    assert tuple(giver(depth, place, ours, theirs) for place in range(ours)) == expected


def encoder(blocks: int) -> Any:
    """Normalised behind each sum, as BERT is: no identity can be put there."""
    from keras import Model, layers

    steps = layers.Input((6, 3), name="steps")
    x = layers.LayerNormalization(name="norm")(layers.Dense(WIDTH, name="project")(steps))
    for n in range(blocks):
        y = layers.MultiHeadAttention(2, WIDTH // 2, name=f"layer_{n}_attention")(x, x)
        x = layers.LayerNormalization(name=f"layer_{n}_norm1")(layers.Add(name=f"layer_{n}_sum1")([x, y]))
        y = layers.Dense(16, activation="gelu", name=f"layer_{n}_up")(x)
        y = layers.Dense(WIDTH, name=f"layer_{n}_down")(y)
        x = layers.LayerNormalization(name=f"layer_{n}_norm2")(layers.Add(name=f"layer_{n}_sum2")([x, y]))
    return Model(steps, layers.Dense(5, name="head")(layers.GlobalAveragePooling1D(name="features")(x)))


def numbered(blocks: int) -> Any:
    """Every weight of block n is n + 1."""
    model = encoder(blocks)
    for weight in model.weights:
        name = weight.path.split("/")[0]
        number = int(name.split("_")[1]) + 1 if name.startswith("layer_") else 0.5
        weight.assign(np.full(weight.shape, number))
    return model


def numbers(model: Any, blocks: int) -> list[set[float]]:
    """By block the values of its weights."""
    found = [
        {float(np.max(weight)) for weight in model.weights if weight.path.startswith(f"layer_{n}_")}
        for n in range(blocks)
    ]
    return [{round(number) for number in values} for values in found]


@pytest.mark.framework
@pytest.mark.parametrize(
    ("depth", "source", "target", "expected"),
    [
        ("stack", 2, 4, [{1}, {2}, {1}, {2}]),
        ("last", 2, 4, [{1}, {2}, {2}, {2}]),
        ("interlace", 2, 4, [{1}, {1}, {2}, {2}]),
        ("interlace", 1, 2, [{1}, {1}]),
        ("interlace", 4, 2, [{1}, {3}]),
    ],
)
def test_blocks_start_as_the_map_says(depth: Depth, source: int, target: int, expected: Any) -> None:
    deeper = encoder(target)
    report = wb.transfer(numbered(source), deeper, depth=depth, verify=False)
    assert numbers(deeper, target) == expected
    assert {found.code for found in report.findings} <= {"WB302", "WB203"}
    assert any(f"depth by {depth}" in found.message for found in report.findings)


@pytest.mark.framework
def test_an_edited_plan_copies_another_block(tmp_path: Path) -> None:
    source, target = numbered(2), encoder(3)
    wb.plan(source, target, depth="stack").save(tmp_path / "plan.json")
    data = json.loads((tmp_path / "plan.json").read_text())
    for step in data["steps"]:
        if step["target"].startswith("layer_2_"):
            step["sources"] = [name.replace("layer_0_", "layer_1_") for name in step["sources"]]
    (tmp_path / "plan.json").write_text(json.dumps(data))
    wb.transfer(source, target, plan=tmp_path / "plan.json", verify=False)
    assert numbers(target, 3) == [{1}, {2}, {2}]


@pytest.mark.framework
@pytest.mark.parametrize(
    ("options", "blocks", "said"),
    [
        ({}, 2, "no block is repeated"),
        ({"adapt": "none"}, 3, "--adapt none does not"),
        ({"adapt": "same", "depth": "twice"}, 3, "one of identity"),
    ],
)
def test_a_map_that_maps_nothing_is_refused(options: dict[str, Any], blocks: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wb.check(encoder(2), encoder(blocks), **{"depth": "stack", **options})
