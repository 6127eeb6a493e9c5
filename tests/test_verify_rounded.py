"""Models that are made to round, in numpy: what differs, what agrees, and what is no number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from weightbridge.formats.running import Grid, InputSpec
from weightbridge.model.tensors import Array
from weightbridge.verify import Control, Setup, equality_in_steps

STEP = 0.01


@dataclass(frozen=True)
class Line:
    """2 x + 1, whose rounded outputs are changed."""

    change: Callable[[Array, Array], Array] = lambda _, y: y
    inputs: tuple[InputSpec, ...] = (InputSpec("x", (None, 4), "float32"),)
    outputs: tuple[str, ...] = ("y",)

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        return {"y": feeds["x"] * 2 + 1}

    def rounded(self, feeds: Mapping[str, Array], grids: Mapping[str, Grid], seed: int) -> dict[str, Array]:
        noise = np.random.default_rng(seed).uniform(-0.4, 0.4, feeds["x"].shape) * bool(seed)
        y = np.round((feeds["x"] * 2 + 1) / STEP + noise) * STEP
        return {"y": self.change(feeds["x"], y)}


def broken_where_large(x: Array, y: Array) -> Array:
    return np.where(np.abs(x).sum(1, keepdims=True) > 3, np.nan, y)


CASES: dict[str, tuple[Line, list[str]]] = {
    "right": (Line(), ["WB302"]),
    "wrong": (Line(lambda _, y: y * 1.1), ["WB401"]),
    "no-number": (Line(lambda _, y: y * np.nan), ["WB405"]),
    "no-number-on-some-probes": (Line(broken_where_large), ["WB405"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_a_model_that_rounds(name: str) -> None:
    candidate, codes = CASES[name]
    verification, said = equality_in_steps(Line(), candidate, Setup(), {}, {"y": STEP})
    assert [found.code for found in said] == codes
    assert verification.evidence["comparisons"] == len(verification.outputs) == 4


@pytest.mark.parametrize(
    ("name", "result"), [("right", "passed"), ("wrong", "failed"), ("no-number", "failed")]
)
def test_a_control_has_to_differ(name: str, result: str) -> None:
    control = Control("another", lambda: CASES[name][0])
    verification, _ = equality_in_steps(Line(), Line(), Setup(controls=(control,)), {}, {"y": STEP})
    assert [one["result"] for one in verification.evidence["controls"]] == [result]
    assert bool(verification.evidence["inconclusive"]) == (result == "passed")
