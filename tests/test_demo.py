"""The demonstration: what it says of good, bad and equal results, and that it runs and arrives."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from weightbridge.commands.demo import Arm, Demonstration, conclusion, demonstrate, text
from weightbridge.report.values import Report


def shown(fitted: float, control: float, zero_shot: float = 0.9) -> Demonstration:
    arms = [
        Arm(name, known, 0.5, tuned)
        for name, known, tuned in (
            ("fitted", zero_shot, fitted),
            ("random", 0.1, control - 0.1),
            ("random, head", 0.8, control),
        )
    ]
    return Demonstration(0.99, 0.1, 0.99, Report("transfer", "pass"), 1.0, arms[0], tuple(arms[1:]))


SAID = {
    "better": (shown(0.7, 0.5), "20.0 points better than the best control"),
    "worse": (shown(0.4, 0.5), "10.0 points worse"),
    "no-difference": (shown(0.51, 0.5), "no difference"),
}


@pytest.mark.parametrize(("result", "expected"), SAID.values(), ids=SAID.keys())
def test_the_conclusion_says_which_way_it_went(result: Demonstration, expected: str) -> None:
    assert expected in conclusion(result)[-1]
    assert expected in text(result)


def test_what_it_knows_without_labels_is_said_too() -> None:
    assert "10.0 points better" in conclusion(shown(0.5, 0.5))[1]
    assert "30.0 points worse" in conclusion(shown(0.5, 0.5, zero_shot=0.5))[1]


def test_the_readme_shows_what_it_prints() -> None:
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text()
    printed = text(shown(0.51, 0.5))
    assert measured(printed) in measured(readme)
    assert measured(printed.replace("fitted", "random")) not in measured(readme)


def measured(said: str) -> str:
    """Without the numbers that a run finds, and the blanks before them."""
    return re.sub(r" *\d+\.\d|\d+ of \d+", "_", said)


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
    assert result.transferred.zero_shot > 0.85
    assert result.ahead > -0.02
