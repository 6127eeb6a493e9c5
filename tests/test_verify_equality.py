"""Equality of two models that run: what passes, what fails, and what proves nothing.

Models in numpy, so that no framework is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from runners import Network, network, precise

from weightbridge.errors import RunError, Unsupported
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.running import InputSpec
from weightbridge.report.verdict import verdict_of
from weightbridge.report.verification import Verification
from weightbridge.verify import Control, Setup, equality, seed_of

SAME = network()
Result = tuple[Verification, tuple[Finding, ...]]


def compared(candidate: Network, reference: Network = SAME, **setup: Any) -> Result:
    return equality(reference, candidate, Setup(**{"seed": 7, "precise": precise(reference), **setup}))


def verdict(result: Result) -> str:
    return verdict_of(result[1], result[0])


def codes(result: Result) -> list[str]:
    return [f.code for f in result[1]]


def moved(array: np.ndarray, index: tuple[int, ...], by: float) -> np.ndarray:
    found = array.copy()
    found[index] += by
    return found


def reordered(x: np.ndarray) -> np.ndarray:
    """tanh in another order of operations."""
    return 1 - 2 / (np.exp(2 * np.clip(x, -30, 30)) + 1)


CORRECT: dict[str, Network] = {
    "itself": SAME,
    "hidden units in another order": replace(SAME, first=SAME.first[:, ::-1], second=SAME.second[::-1]),
    "other names": replace(SAME, names=("z",)),
    "signs of the hidden layer turned": replace(SAME, first=-SAME.first, second=-SAME.second),
    "tanh by exp": replace(SAME, activation=reordered),
}
WRONG: dict[str, Network] = {
    "a transposed square kernel": replace(SAME, first=SAME.first.T),
    "swapped kernels of one shape": replace(SAME, first=SAME.second, second=SAME.first),
    "a bias shifted by 1e-3": replace(SAME, bias=moved(SAME.bias, (2,), 1e-3)),
    "one weight of many changed by 1e-4": replace(SAME, second=moved(SAME.second, (3, 5), 1e-4)),
    "columns rolled": replace(SAME, second=np.roll(SAME.second, 1, axis=1)),
    "another random model": network(1),
    "another activation": replace(SAME, activation=lambda x: np.clip(x, -1, 1)),
    "scaled by 0.1 %": replace(SAME, second=SAME.second * np.float32(1.001)),
}


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_implementation_passes(name: str) -> None:
    found = compared(CORRECT[name])
    assert (verdict(found), codes(found)) == ("pass", [])
    assert found[0].evidence["equal"] == found[0].evidence["comparisons"] == 7
    assert all(o["passed"] and o["ratio"] <= o["limit"] for o in found[0].outputs)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_fails_and_says_where(name: str) -> None:
    found = compared(WRONG[name])
    assert (verdict(found), codes(found)) == ("fail", ["WB401"])
    message = found[1][0].message
    assert "times the noise floor" in message
    assert "worst at index" in message
    assert "would have passed" in message


@pytest.mark.parametrize("name", WRONG)
def test_softmax_hides_no_fault(name: str) -> None:
    """Scaled up until probabilities saturate.

    Compared as logits, or as log-odds where a model does not show them.
    """
    reference, wrong = replace(SAME, softmax=True), replace(WRONG[name], softmax=True)
    assert codes(compared(wrong, reference)) == ["WB401"]
    hidden = compared(replace(wrong, shows=False), reference, layers=())
    assert codes(hidden) == ["WB401"]
    assert hidden[0].evidence["compared_as"] == {"y": "log-odds"}


def test_what_softmax_takes_away_is_no_fault() -> None:
    reference = replace(SAME, softmax=True)
    assert verdict(compared(replace(reference, bias=SAME.bias + np.float32(1)), reference)) == "pass"
    assert codes(compared(replace(SAME, bias=SAME.bias + np.float32(1)), SAME)) == ["WB401"]


def test_two_random_classifiers_that_saturate_are_told_apart() -> None:
    """Their probabilities agree to the last bit: one class has all of it."""
    first = replace(network(0, scale=30.0), softmax=True, bias=np.array([1e4, *[0.0] * 7]))
    other = replace(network(1, scale=30.0), softmax=True, bias=np.array([1e4, *[0.0] * 7]))
    x = {"x": np.ones((2, 8), "f4")}
    assert (first.run(x)["y"] == other.run(x)["y"]).all()
    assert codes(compared(other, first)) == ["WB401"]


def test_the_first_layer_that_differs_is_named() -> None:
    layers = (("hidden", "hidden"),)
    assert (
        "first layer that differs is 'hidden'"
        in compared(WRONG["a transposed square kernel"], layers=layers)[1][0].message
    )
    shifted = compared(WRONG["a bias shifted by 1e-3"], layers=layers)
    assert [one["passed"] for one in shifted[0].layers] == [True]
    assert "first layer" not in shifted[1][0].message


def test_the_floor_without_float64_is_measured_by_perturbation() -> None:
    def refused() -> Network:
        raise RunError("no float64 here")

    for setup in ({"precise": None}, {"precise": refused}):
        found = compared(CORRECT["tanh by exp"], **setup)
        assert verdict(found) == "pass"
        assert "perturbed" in found[0].evidence["floor"]
        assert codes(compared(WRONG["a bias shifted by 1e-3"], **setup)) == ["WB401"]
    other = compared(SAME, precise=None, precise_candidate=precise(SAME))
    assert "float64 against float32 of the target" in other[0].evidence["floor"]


def coarse(x: np.ndarray) -> np.ndarray:
    """tanh of fewer digits than float32 has; exact in float64."""
    y = np.tanh(x)
    return np.round(y * 2**17) / 2**17 if x.dtype == np.float32 else y


def test_the_target_may_round_more_than_the_source() -> None:
    candidate = replace(SAME, activation=coarse)
    assert codes(compared(candidate)) == ["WB401"]
    both = compared(candidate, precise_candidate=precise(candidate))
    assert verdict(both) == "pass"
    assert "and of the target" in both[0].evidence["floor"]
    wrong = replace(candidate, bias=moved(SAME.bias, (2,), 1e-3))
    assert codes(compared(wrong, precise_candidate=precise(wrong))) == ["WB401"]


def single(x: np.ndarray) -> np.ndarray:
    """tanh that is there in float32 alone, as some operations of TensorFlow are."""
    if x.dtype == np.float64:
        raise RunError("no kernel for float64")
    return np.tanh(x)


@pytest.mark.parametrize("side", ["source", "both"])
def test_what_does_not_run_in_float64_is_compared_all_the_same(side: str) -> None:
    reference = replace(SAME, activation=single)
    candidate = reference if side == "both" else SAME
    setup = {"precise_candidate": precise(candidate)}
    assert verdict(compared(candidate, reference, **setup)) == "pass"
    wrong = replace(candidate, bias=moved(SAME.bias, (2,), 1e-3))
    found = compared(wrong, reference, precise_candidate=precise(wrong))
    assert (verdict(found), codes(found)) == ("fail", ["WB401"])


def test_a_reference_that_is_noisy_proves_nothing() -> None:
    found = compared(SAME, replace(SAME, noise=0.05))
    assert (verdict(found), set(codes(found))) == ("inconclusive", {"WB406"})


def test_small_noise_of_the_reference_joins_the_floor() -> None:
    found = compared(SAME, replace(SAME, noise=1e-5))
    assert verdict(found) == "pass"
    assert all(o["floor"] > 1e-6 for o in found[0].outputs)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (replace(SAME, second=SAME.second * 0, bias=SAME.bias * 0), "all zero on every probe"),
        (replace(SAME, second=SAME.second * 0), "the same for every input"),
        (replace(SAME, first=SAME.first * 0), "the same for every input"),
    ],
    ids=["dead-output", "constant-output", "dead-layer"],
)
def test_agreement_on_nothing_proves_nothing(reference: Network, said: str) -> None:
    found = compared(reference, reference)
    assert (verdict(found), codes(found)) == ("inconclusive", ["WB503"])
    assert said in found[1][0].message
    assert found[0].evidence["inconclusive"]


@pytest.mark.parametrize(
    ("scale", "probe"),
    [(1e-5, "normal x 1e3"), (1e-11, "normal x 1e6"), (1e-17, "normal x 1e12")],
    ids=["images", "deep", "deeper"],
)
def test_what_only_loud_inputs_show_is_seen(scale: float, probe: str) -> None:
    """Behind x / 255, or deep in a random network, inputs about 1 drown in the biases."""
    quiet = replace(SAME, first=SAME.first * scale)
    same, wrong = compared(quiet, quiet), compared(replace(quiet, first=quiet.first[::-1]), quiet)
    assert (verdict(same), same[1]) == ("pass", ())
    assert (verdict(wrong), codes(wrong)) == ("fail", ["WB401"])
    assert probe in {one["probe"] for one in wrong[0].outputs if one["status"] == "differs"}


@pytest.mark.parametrize("side", ["reference", "candidate", "both"])
def test_numbers_that_are_none_are_never_equal(side: str) -> None:
    broken = replace(SAME, bias=moved(SAME.bias, (2,), np.nan))
    found = compared(SAME if side == "reference" else broken, SAME if side == "candidate" else broken)
    assert (verdict(found), codes(found)) == ("fail", ["WB405"])


def test_models_that_have_nothing_in_common_are_not_equal() -> None:
    for candidate in (
        replace(SAME, input=(None, 3, 8)),
        replace(SAME, second=SAME.second[:, :3], bias=SAME.bias[:3]),
    ):
        found = compared(candidate)
        assert (verdict(found), codes(found)) == ("inconclusive", ["WB504"])
        assert found[0].outputs == ()


CONTROLS: Mapping[str, tuple[Control, str, str]] = {
    "must fail and does": (Control("c", lambda: network(3)), "failed", "pass"),
    "must fail and passes": (Control("c", lambda: SAME), "passed", "vacuous"),
    "nothing to build": (Control("c", reason="no two tensors of one shape differ"), "skipped", "pass"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_controls(name: str) -> None:
    control, result, wanted = CONTROLS[name]
    found = compared(SAME, controls=(control,))
    assert [one["result"] for one in found[0].evidence["controls"]] == [result]
    assert verdict(found) == wanted
    assert codes(found) == (["WB502"] if wanted == "vacuous" else [])


def test_a_control_that_cannot_run_is_skipped_with_the_reason() -> None:
    def broken() -> Network:
        raise Unsupported("it cannot be built")

    found = compared(SAME, controls=(Control("c", broken),))
    assert found[0].evidence["controls"] == [
        {"name": "c", "result": "skipped", "reason": "it cannot be built"}
    ]


def test_controls_are_not_run_where_the_check_has_failed() -> None:
    found = compared(network(1), controls=(Control("c", lambda: SAME),))
    assert (verdict(found), found[0].evidence["controls"][0]["result"]) == ("fail", "skipped")


def test_the_same_seed_gives_the_same_evidence_and_another_seed_other_probes() -> None:
    first, again, other = (compared(CORRECT["tanh by exp"], seed=seed)[0].outputs for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("evidence", "count"), [("quick", 2), ("standard", 7), ("full", 8)])
def test_how_much_is_run(evidence: Any, count: int) -> None:
    assert len(compared(SAME, evidence=evidence)[0].outputs) == count


def test_seeds_come_from_both_structures() -> None:
    assert len({seed_of("a", "b"), seed_of("b", "a"), seed_of("a", "c")}) == 3
    assert seed_of("a", "b") == seed_of("a", "b")


def ranged(x: np.ndarray) -> np.ndarray:
    """Each item by its own range, zero where it has none: equal numbers stay equal, or are a range."""
    logs = np.log(x * x + x.dtype.type(1e-10))
    logs = logs - logs.min(axis=-1, keepdims=True)
    width = logs.max(axis=-1, keepdims=True)
    return np.divide(logs, width, out=np.zeros_like(logs), where=width > 0)


def ranged_in_pieces(x: np.ndarray) -> np.ndarray:
    """The same, whose last number was rounded by another kernel where all are equal."""
    values = ranged(x)
    if x.dtype == np.float32:
        values[~values.any(axis=-1), -1] = 1.0
    return values


class InPieces(Network):
    def rearranged(self) -> Network:
        return replace(self, activation=ranged)


RANGED = replace(SAME, activation=ranged)
PIECES = {"activation": ranged_in_pieces}


def in_pieces(kind: type[Network]) -> Network:
    return kind(SAME.first, SAME.second, SAME.bias, **PIECES)


def test_a_difference_that_another_cut_of_the_work_makes_is_noise() -> None:
    result = compared(RANGED, in_pieces(InPieces), precise=None, evidence="standard")
    assert (verdict(result), codes(result)) == ("pass", [])
    statuses = {o["probe"]: o["status"] for o in result[0].outputs}
    assert {name: statuses[name] for name in ("zeros", "normal")} == {
        "zeros": "ill-conditioned",
        "normal": "equal",
    }


def test_without_another_cut_the_same_difference_is_one() -> None:
    assert "WB401" in codes(compared(RANGED, in_pieces(Network), precise=None, evidence="standard"))


def test_another_cut_hides_no_fault() -> None:
    wrong = replace(RANGED, bias=moved(SAME.bias, (2,), 1e-3))
    assert "WB401" in codes(compared(wrong, in_pieces(InPieces), precise=None, evidence="standard"))


@dataclass(frozen=True)
class Painter:
    """An image of 4 x 4 with 4 channels, whose shape tells no layout, from six numbers.

    axis: where its channels are.
    """

    weights: np.ndarray
    axis: int = -1
    inputs: tuple[InputSpec, ...] = (InputSpec("z", (None, 6), "float32"),)
    outputs: tuple[str, ...] = ("image",)

    def run(self, feeds: Mapping[str, np.ndarray], layers: Sequence[str] = ()) -> dict[str, np.ndarray]:
        image = np.tanh(feeds["z"] @ self.weights).reshape(-1, 4, 4, 4)
        return {"image": np.moveaxis(image, -1, self.axis)}


def painted(candidate: Painter, *, is_one_layout: bool = False) -> Result:
    reference = Painter(PAINTED)
    exact = replace(reference, weights=PAINTED.astype("f8"))
    setup = Setup(seed=7, precise=lambda: exact, is_one_layout=is_one_layout)
    return equality(reference, candidate, setup)


PAINTED = np.random.default_rng(2).normal(size=(6, 64)).astype("f4")


def test_an_image_whose_shape_tells_no_layout_is_tried_in_all_of_them() -> None:
    plain, first = painted(Painter(PAINTED)), painted(Painter(PAINTED, axis=1))
    assert (verdict(plain), verdict(first)) == ("pass", "pass")
    assert "layout_tried" not in plain[0].evidence
    assert first[0].evidence["layout_tried"] == {"image": "to-last"}


def test_another_layout_is_no_excuse() -> None:
    """Where both keep channels in one place, where they are in the middle, or a number is wrong."""
    assert codes(painted(Painter(PAINTED, axis=1), is_one_layout=True)) == ["WB401"]
    assert codes(painted(Painter(PAINTED, axis=2))) == ["WB401"]
    assert codes(painted(Painter(moved(PAINTED, (2, 5), 1e-3), axis=1))) == ["WB401"]
