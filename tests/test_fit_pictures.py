"""The picture of R2 against depth: of its own, in the page, and of a saved report that lies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from report_samples import HOSTILE, sample

from weightbridge.report.recorded import recorded_problems
from weightbridge.report.render.html import render as page
from weightbridge.report.render.svg import render as alone
from weightbridge.report.verification import Verification

LAYERS = (
    {"layer": "mixed0_1x1", "cut": "conv2_out", "r2": 0.75, "reason": "", "products": 10},
    {"layer": "mixed0_reduce", "cut": "conv2_out", "r2": 0.5, "reason": "on the way", "products": 20},
    {"layer": "gate", "cut": "conv2_out", "r2": None, "reason": "left as initialised", "products": 0},
    {"layer": "worse", "cut": "conv3_out", "r2": -3.0, "reason": "left as initialised", "products": 5},
)


def report(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    evidence = {"fit": {"way": "ratio", "layers": list(layers)}}
    return replace(sample(), verification=Verification(evidence=evidence)).to_json()


def test_every_layer_is_a_point_at_its_height() -> None:
    svg = alone(report(LAYERS))
    heights = [float(part.partition('"')[0]) for part in svg.split('cy="')[1:]][: len(LAYERS)]
    assert heights[0] < heights[1] < heights[2] == heights[3]  # the top is 0
    for layer in LAYERS:
        assert f"{layer['layer']} &lt;- {layer['cut']}" in svg
    assert svg.count("<text") < 40


def test_the_page_has_the_picture_too() -> None:
    assert "R2 against depth" in page(report(LAYERS))
    assert "mixed0_1x1 &lt;- conv2_out: R2 0.750" in page(report(LAYERS))


def test_without_fitted_layers_there_is_none() -> None:
    assert "R2 against depth" not in page(report(()))
    assert "R2 of each" not in alone(report(()))


def test_a_hostile_name_stays_a_name() -> None:
    svg = alone(report([{**LAYERS[0], "layer": HOSTILE}]))
    assert "<script" not in svg
    assert all(character.isprintable() or character == "\n" for character in svg)


def test_very_many_layers_have_few_names() -> None:
    svg = alone(report([{**LAYERS[0], "layer": f"layer{n}"} for n in range(500)]))
    assert svg.count("rotate(") <= 41
    assert "layer499" in svg


@pytest.mark.parametrize(
    "layers",
    [[{"layer": "a"}], [{**LAYERS[0], "r2": "high"}], [{**LAYERS[0], "reason": 3}], {"layer": "a"}, [7]],
    ids=["keys missing", "r2 a text", "reason a number", "no list", "no object"],
)
def test_a_saved_report_that_does_not_fit_is_said(layers: Any) -> None:
    verification = report(())["verification"]
    verification["evidence"]["fit"]["layers"] = layers
    assert recorded_problems(verification)
