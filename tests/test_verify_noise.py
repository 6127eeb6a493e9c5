"""The noise of both sides: a target that rounds more than the source is right, and hides no fault."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from runners import Network, network, precise

from weightbridge.report.digest.proof import proven
from weightbridge.report.verdict import verdict_of
from weightbridge.verify import Setup, equality

SAME = network()
HIDDEN = (("hidden", "hidden"),)


def coarse(x: np.ndarray, digits: int) -> np.ndarray:
    """tanh of fewer binary digits in float32, as of a long sum in one order; exact in float64."""
    y = np.tanh(x)
    return np.round(y * 2.0**digits) / 2.0**digits if x.dtype == np.float32 else y


def rounding(digits: int, **changed: Any) -> Network:
    return replace(SAME, activation=partial(coarse, digits=digits), **changed)


def verified(candidate: Network, in_double: Callable[[], Network] | None = None) -> tuple[Any, str]:
    own = in_double or precise(candidate)
    setup = Setup(seed=7, precise=precise(SAME), precise_candidate=own, layers=HIDDEN)
    verification, findings = equality(SAME, candidate, setup)
    return verification, verdict_of(findings, verification)


@pytest.mark.parametrize("digits", [21, 18, 12], ids=["below-the-limit", "above", "far-above"])
def test_a_target_that_rounds_more_is_measured_by_its_own_noise(digits: int) -> None:
    verification, verdict = verified(rounding(digits))
    worst = max(verification.outputs, key=lambda one: one["nrmse"] / one["source_floor"])
    assert verdict == "pass"
    assert worst["nrmse"] > 2 * worst["source_floor"]
    assert worst["floor"] == worst["target_noise"] > worst["source_floor"]
    assert worst["ratio"] <= 2
    assert worst["in_float64"] < 0.01
    assert verification.layers[0]["passed"]
    assert verification.layers[0]["ratio_cumulative"] <= 2


def test_what_rounds_as_the_source_does_is_measured_by_the_source_alone() -> None:
    verification, verdict = verified(SAME)
    assert verdict == "pass"
    assert not any("target_noise" in one for one in verification.outputs)
    assert "of the target" not in verification.evidence["floor"]


@pytest.mark.parametrize("digits", [21, 18, 12])
@pytest.mark.parametrize("changed", ["bias", "second", "first"])
def test_noise_of_the_target_hides_no_fault(digits: int, changed: str) -> None:
    """A change of 1e-4 is far below what 12 digits round, and above 20 floors of the source."""
    fault = getattr(SAME, changed).copy()
    fault[(2,) * fault.ndim] += 1e-4
    verification, verdict = verified(rounding(digits, **{changed: fault}))
    assert verdict == "fail"
    assert max(one["in_float64"] for one in verification.outputs) > 20
    hidden = verification.layers[0]
    assert hidden["passed"] == (changed != "first")


def test_a_target_whose_float64_run_is_another_model_gets_no_noise_for_it() -> None:
    _, verdict = verified(rounding(12), precise(network(1)))
    assert verdict == "fail"


def test_the_report_says_whose_rounding_the_floor_is() -> None:
    verification, _ = verified(rounding(18))
    report = {"verdict": "pass", "command": "convert", "verification": asdict(verification)}
    lines = proven(report)
    assert any("the target's own rounding is the floor of" in line for line in lines)
    verification, _ = verified(SAME)
    report = {"verdict": "pass", "command": "convert", "verification": asdict(verification)}
    assert not any("own rounding" in line for line in proven(report))
