"""The demonstration: what it says of good, bad and equal results, and that it runs and arrives."""

from dataclasses import replace

import pytest

from weightbridge.commands.demo import Arm, Demonstration, conclusion, demonstrate, text
from weightbridge.report.values import Report


def shown(transferred: float, control: float, zero_shot: float = 0.1) -> Demonstration:
    arms = (
        Arm(name, zero_shot, 0.5, tuned)
        for name, tuned in (("transferred", transferred), ("random start", control))
    )
    return Demonstration(0.99, 0.1, 0.99, Report("transfer", "pass"), 1.0, *arms)


SAID = {
    "better": (shown(0.7, 0.5), "20.0 points better"),
    "worse": (shown(0.4, 0.5), "10.0 points worse"),
    "no-difference": (shown(0.51, 0.5), "makes no difference"),
}


@pytest.mark.parametrize(("result", "expected"), SAID.values(), ids=SAID.keys())
def test_the_conclusion_says_which_way_it_went(result: Demonstration, expected: str) -> None:
    assert expected in conclusion(result)[-1]
    assert expected in text(result)


def test_guessing_is_called_guessing_and_knowing_is_not() -> None:
    assert "both guess" in conclusion(shown(0.5, 0.5))[0]
    assert not any("guess" in line for line in conclusion(shown(0.5, 0.5, zero_shot=0.9)))


@pytest.mark.framework
@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # TensorFlow under NumPy 2, while Keras saves
def test_a_renamed_network_gets_all_of_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    result = demonstrate(print)
    assert result.before < 0.5 < 0.95 < result.after
    assert result.after == result.source
    assert result.report.verdict == "pass"
    assert {s.contract for s in result.report.plan.steps if result.report.plan} == {"bitwise"}
    assert "verdict pass" in text(replace(result))
    assert "Inception" in capsys.readouterr().out
