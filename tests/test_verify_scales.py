"""Outputs of several scales, as boxes in pixels beside scores: none hides a fault in the others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from runners import Network, network, precise

from weightbridge.report.verdict import verdict_of
from weightbridge.verify import Setup, equality
from weightbridge.verify.scales import parts_of, with_parts

LOUD = np.where(np.arange(8) < 4, np.float32(1e6), np.float32(1))
PLAIN = network()
SCALED = replace(PLAIN, second=PLAIN.second * LOUD, bias=PLAIN.bias * LOUD)


def verified(reference: Network, candidate: Network) -> tuple[Any, str]:
    setup = Setup(seed=7, precise=precise(reference), precise_candidate=precise(candidate))
    verification, findings = equality(reference, candidate, setup)
    return verification, verdict_of(findings, verification)


def test_a_right_model_passes_in_all_its_parts() -> None:
    verification, verdict = verified(SCALED, replace(SCALED, first=-SCALED.first, second=-SCALED.second))
    assert verdict == "pass"
    assert verification.evidence["parts"] == ["y [axis 1: 0-3]", "y [axis 1: 4-7]"]
    assert verification.evidence["outputs_compared"] == verification.evidence["outputs"] == 1
    assert {output["name"] for output in verification.outputs} == {"y", *verification.evidence["parts"]}


@pytest.mark.parametrize("change", ["one-percent", "exchanged", "bias"])
def test_a_fault_in_the_small_numbers_is_noticed(change: str) -> None:
    second, bias = SCALED.second.copy(), SCALED.bias.copy()
    match change:
        case "one-percent":
            second[:, 5] *= 1.01
        case "exchanged":
            second[:, [5, 6]] = second[:, [6, 5]]
        case _:
            bias[7] *= 1.01
    verification, verdict = verified(SCALED, replace(SCALED, second=second, bias=bias))
    assert verdict == "fail"
    assert {o["name"] for o in verification.outputs if o["status"] == "differs"} == {"y [axis 1: 4-7]"}


@pytest.mark.parametrize("dead", [slice(0, 4), slice(4, 8)], ids=["loud", "quiet"])
def test_a_part_that_is_always_the_same_is_no_reason_to_doubt_the_whole(dead: slice) -> None:
    second = SCALED.second.copy()
    second[:, dead] = 0
    constant = replace(SCALED, second=second, bias=SCALED.bias + np.float32(1))
    assert verified(constant, constant)[1] == "pass"


def sigmoid(x: np.ndarray) -> np.ndarray:
    """As a runtime computes it: to half a unit in the last place of 1."""
    p = 1 / (1 + np.exp(-x.astype(np.float64)))
    return np.round(p * 2.0**25) / 2.0**25 if x.dtype == np.float32 else p


@pytest.mark.parametrize("has_float64", [True, False])
def test_small_probabilities_beside_boxes_are_as_exact_as_runtimes_are(has_float64: bool) -> None:
    class Scores(Network):
        def run(self, feeds: Any, layers: Any = ()) -> Any:
            found = super().run(feeds, layers)
            ends = sigmoid if self.shows else exact
            y = found["y"]
            return {
                **found,
                "y": np.concatenate([y[:, :4] * 300, ends(np.asarray(y[:, 4:] - 9, self.dtype))], axis=1),
            }

    def exact(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    made = [Scores(PLAIN.first, PLAIN.second, PLAIN.bias, shows=shows) for shows in (False, True)]
    setup = Setup(seed=7, precise=precise(made[0]) if has_float64 else None)
    verification, findings = equality(*made, setup)
    assert (verdict_of(findings, verification), len(verification.evidence["parts"])) == ("pass", 2)
    second = made[1].second.copy()
    second[:, 6] = -second[:, 6]
    verification, findings = equality(made[0], replace(made[1], second=second), setup)
    assert verdict_of(findings, verification) == "fail"


def test_what_is_of_one_scale_has_no_parts() -> None:
    y = np.random.default_rng(0).normal(size=(2, 5, 6, 3))
    assert parts_of({"y": y, "whole": np.arange(6).reshape(2, 3), "vector": y[0, 0, 0]}) == ()
    assert parts_of({"y": y * [1, 1, 0]}) == ()
    assert parts_of({"y": y * [1, 1, np.nan]}) == ()


def test_parts_are_cut_along_the_axis_of_scales_and_from_any_rank() -> None:
    y = np.random.default_rng(0).normal(size=(2, 5, 6)) * np.array([1, 1e3, 1, 1, 1e6])[:, None]
    parts = parts_of({"y": y})
    names = ["y [axis 1: 4]", "y [axis 1: 1]", "y [axis 1: 0, 2-3]"]
    assert [part.name for part in parts] == names
    cut = with_parts({"y": y[:1].reshape(1, 5, 1, 6)}, parts)
    np.testing.assert_array_equal(cut[names[2]], y[:1, [0, 2, 3]])
    assert list(with_parts({"y": y[:, :4]}, parts)) == ["y"]
