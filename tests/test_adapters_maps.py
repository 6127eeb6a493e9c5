"""Axis rules and adapters as arithmetic: what each does to numbers, and what it keeps of their energy.

No framework, no files.
"""

from typing import Any

import numpy as np
import pytest

from weightbridge.adapters.apply.arithmetic import apply
from weightbridge.adapters.apply.maps import chosen_channels, even, linear_resize, mapped, matrix
from weightbridge.adapters.apply.positions import bicubic_resize, grids
from weightbridge.plan import Step

Rule = dict[str, Any]
ROWS = np.arange(12.0).reshape(4, 3) + 1


def step(transform: str, shape: tuple[int, ...], **parameters: Any) -> Step:
    return Step("t", ("s",), "adapt", "lossy", shape, int(np.prod(shape)), transform, parameters)


CHOSEN = {
    "grows": (4, 6, [0, 0, 1, 2, 2, 3]),
    "doubles": (2, 4, [0, 0, 1, 1]),
    "shrinks-evenly": (6, 3, [0, 2, 4]),
    "shrinks-to-one": (5, 1, [0]),
    "stays": (3, 3, [0, 1, 2]),
}


@pytest.mark.parametrize(("before", "after", "expected"), CHOSEN.values(), ids=CHOSEN.keys())
def test_channels_are_spread_evenly(before: int, after: int, expected: list[int]) -> None:
    assert even(before, after).tolist() == expected


@pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 7), (4, 9), (8, 8), (5, 40)])
def test_shares_of_the_repeats_of_a_channel_sum_to_one(before: int, after: int) -> None:
    index, share = chosen_channels({"rule": "share", "from": (before,), "to": (after,)})
    assert np.allclose(np.bincount(index, share), 1.0)


def test_repeats_do_not_share_equally() -> None:
    """Equal shares would stay equal in training for ever."""
    _, share = chosen_channels({"rule": "share", "from": (1,), "to": (3,)})
    assert len(set(share.tolist())) == 3


def test_groups_of_a_concatenation_are_mapped_one_by_one() -> None:
    index, _ = chosen_channels({"rule": "take", "from": (2, 3), "to": (4, 3)})
    assert index.tolist() == [0, 0, 1, 1, 2, 3, 4]


FLAT = {
    "places-outside": ({"outer": 2}, [0, 0, 1, 1, 2, 2, 3, 3]),
    "places-inside": ({"inner": 2}, [0, 1, 0, 1, 2, 3, 2, 3]),
    "source-has-the-places-inside": ({"outer": 2, "source_order": "inner"}, [0, 0, 2, 2, 1, 1, 3, 3]),
}


@pytest.mark.parametrize(("extra", "expected"), FLAT.values(), ids=FLAT.keys())
def test_flattened_channels_keep_their_places(extra: Rule, expected: list[int]) -> None:
    index, _ = chosen_channels({"rule": "take", "from": (2,), "to": (4,), **extra})
    assert index.tolist() == expected


ENERGY = {
    "take-grows": ({"rule": "take", "from": (4,), "to": (6,)}, 1.0),
    "take-drops-half": ({"rule": "take", "from": (4,), "to": (2,)}, (14 + 194) / 650),
    "pad": ({"rule": "centre", "from": 4, "to": 6}, 1.0),
    "crop": ({"rule": "centre", "from": 4, "to": 2}, (77 + 194) / 650),
    "sum-of-unequal": ({"rule": "sum", "from": 4, "to": 1}, None),
}


@pytest.mark.parametrize(("rule", "expected"), ENERGY.values(), ids=ENERGY.keys())
def test_energy_kept_is_what_can_be_recovered(rule: Rule, expected: float | None) -> None:
    _, kept = mapped(ROWS, 0, rule)
    assert kept == pytest.approx(expected) if expected is not None else 0 < kept < 1


def test_a_sum_of_equal_channels_loses_nothing() -> None:
    value, kept = mapped(np.ones((3, 2)), 0, {"rule": "sum", "from": 3, "to": 1})
    assert kept == pytest.approx(1.0)
    assert value.tolist() == [[3.0, 3.0]]


STEMS = {
    "3-to-1-sums": ({"rule": "sum", "from": 3, "to": 1}, np.ones((1, 3))),
    "1-to-3-a-third-each": ({"rule": "tile", "from": 1, "to": 3}, np.full((3, 1), 1 / 3)),
    "3-to-4-tiles-and-scales": ({"rule": "tile", "from": 3, "to": 4}, np.eye(3)[[0, 1, 2, 0]] * 0.75),
    "4-to-2-tiles-and-scales": ({"rule": "tile", "from": 4, "to": 2}, np.eye(4)[:2] * 2),
    "means": ({"rule": "mean", "from": 4, "to": 1}, np.full((1, 4), 0.25)),
}


@pytest.mark.parametrize(("rule", "expected"), STEMS.values(), ids=STEMS.keys())
def test_input_channels(rule: Rule, expected: np.ndarray) -> None:
    assert np.allclose(matrix(rule), expected)


@pytest.mark.parametrize(("n", "m"), [(3, 4), (3, 6), (1, 5), (3, 1)])
def test_a_stem_answers_alike_where_all_input_channels_are_equal(n: int, m: int) -> None:
    value, _ = mapped(np.full((n, 2), 0.5), 0, {"rule": "sum" if m == 1 else "tile", "from": n, "to": m})
    assert np.allclose(value.sum(0), 0.5 * n)


TAPS = {
    "3-to-5": ({"rule": "centre", "from": 3, "to": 5}, [0, 1, 2, 3, 0]),
    "5-to-3": ({"rule": "centre", "from": 5, "to": 3}, [2, 3, 4]),
    "even-2-to-4": ({"rule": "centre", "from": 2, "to": 4}, [0, 1, 2, 0]),
    "all-zeros-behind": ({"rule": "centre", "from": 2, "to": 4, "lead": 0}, [1, 2, 0, 0]),
}


@pytest.mark.parametrize(("rule", "expected"), TAPS.values(), ids=TAPS.keys())
def test_taps_are_padded_or_cropped(rule: Rule, expected: list[float]) -> None:
    value, _ = mapped(np.arange(1.0, rule["from"] + 1), 0, rule)
    assert value.tolist() == expected


@pytest.mark.parametrize(("n", "m"), [(4, 8), (8, 16), (7, 14)])
def test_a_resampled_patch_kernel_answers_alike_on_resized_patches(n: int, m: int) -> None:
    kernel, patch = np.random.default_rng(0).normal(size=(2, n))
    larger, kept = mapped(kernel, 0, {"rule": "resample", "from": n, "to": m})
    assert (linear_resize(n, m) @ patch) @ larger == pytest.approx(patch @ kernel)
    assert kept == pytest.approx(1.0)


WRONG = {
    "chosen-from-too-many": {"rule": "take", "from": (9,), "to": (9,)},
    "mixed-from-too-many": {"rule": "sum", "from": 9, "to": 1},
    "unknown": {"rule": "guess", "from": 4, "to": 2},
}


@pytest.mark.parametrize("rule", WRONG.values(), ids=WRONG.keys())
def test_a_rule_that_does_not_fit_is_refused(rule: Rule) -> None:
    with pytest.raises(ValueError, match="axis rule"):
        mapped(ROWS, 0, rule)


GRIDS = {
    "class-token": (197, 257, (1, 14, 16)),
    "none": (196, 256, (0, 14, 16)),
    "class-and-distillation": (198, 258, (2, 14, 16)),
    "no-square": (197, 250, None),
    "other-prefix": (196, 257, None),
}


@pytest.mark.parametrize(("before", "after", "expected"), GRIDS.values(), ids=GRIDS.keys())
def test_square_grids_behind_the_same_prefix(
    before: int, after: int, expected: tuple[int, int, int] | None
) -> None:
    assert grids(before, after) == expected


def test_positions_keep_the_class_token_and_resize_a_ramp_to_a_ramp() -> None:
    token, grid = (
        np.full((1, 2), 7.0),
        np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0), indexing="ij"), -1).reshape(64, 2),
    )
    table = np.concatenate([token, grid])[None]
    value, kept = apply(
        step("resize-positions", (1, 257, 2), prefix=1, **{"from": (8, 8), "to": (16, 16)}), [table]
    )
    inner = value[0, 1:].reshape(16, 16, 2)[4:12, 4:12]  # borders have neighbours on one side only
    assert value[0, 0].tolist() == [7.0, 7.0]
    assert kept == pytest.approx(1.0)
    assert np.allclose(inner[..., 0], ((np.arange(16) + 0.5) / 2 - 0.5)[4:12, None])


def test_a_smaller_grid_loses_energy() -> None:
    table = np.random.default_rng(0).normal(size=(64, 3))
    _, kept = apply(step("resize-positions", (16, 3), prefix=0, **{"from": (8, 8), "to": (4, 4)}), [table])
    assert 0.1 < kept < 0.6


@pytest.mark.parametrize(("n", "m"), [(4, 8), (8, 4), (14, 24)])
def test_bicubic_weights_sum_to_one(n: int, m: int) -> None:
    assert np.allclose(bicubic_resize(n, m).sum(1), 1.0)


def test_an_identity_kernel_passes_its_input_on() -> None:
    value, kept = apply(step("identity-kernel", (3, 3, 4, 4), taps={"0": 1, "1": 1}), [])
    assert np.array_equal(value[1, 1], np.eye(4))
    assert value.sum() == 4
    assert kept == 1.0


def test_a_value_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        apply(step("map-axes", (5, 5), axes={"0": {"rule": "take", "from": (4,), "to": (6,)}}), [ROWS])


def test_kernels_of_other_layouts_are_arranged_first() -> None:
    array = np.random.default_rng(0).normal(size=(4, 3, 2, 2))
    value, _ = apply(step("map-axes", (2, 2, 3, 4), layout="o i x0 x1 -> x0 x1 i o", axes={}), [array])
    assert np.array_equal(value, array.transpose(2, 3, 1, 0))


def test_he_variance_and_centred_filters_where_asked_for() -> None:
    array = np.random.default_rng(0).normal(1.0, 3.0, size=(3, 3, 16, 8))
    value, kept = apply(step("map-axes", array.shape, axes={}, rescale="he", out=(3,), centred=True), [array])
    assert value.var() == pytest.approx(2 / (3 * 3 * 16), rel=1e-6)
    assert np.allclose(value.mean((0, 1, 2)), 0)
    assert 0.8 < kept < 1
