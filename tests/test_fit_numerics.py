"""The least squares of --adapt fit, in numpy alone."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from weightbridge.adapters.fit.channels import chosen, shared_out
from weightbridge.adapters.fit.cuts import cuts
from weightbridge.adapters.fit.directions import Space
from weightbridge.adapters.fit.filters import filters
from weightbridge.adapters.fit.grids import resized
from weightbridge.adapters.fit.leads import lead
from weightbridge.adapters.fit.norms import norm_values
from weightbridge.adapters.fit.patches import rows, window
from weightbridge.adapters.fit.slots import slots
from weightbridge.adapters.fit.solve import solve
from weightbridge.adapters.fit.spots import spots
from weightbridge.adapters.fit.stages import by_steps
from weightbridge.adapters.fit.worth import Arm, knows_more
from weightbridge.formats.flow import Kind, Node
from weightbridge.model.tensors import Array

RANDOM = np.random.default_rng(0)
HELD = np.arange(300) % 5 == 4


@pytest.mark.parametrize("columns", [20, 1000], ids=["more rows", "fewer rows than columns"])
def test_weights_and_bias_are_found(columns: int) -> None:
    x = RANDOM.standard_normal((300, 6)) @ RANDOM.standard_normal((6, columns))
    y = x @ RANDOM.standard_normal((columns, 3)) + [1.0, 2.0, 3.0]
    found = solve(x, y, HELD)
    assert np.abs(x @ found.weights + found.bias - y).max() < 1e-3 * np.abs(y).max()
    assert found.r2 > 0.999


def test_one_direction_may_vary_most_by_far() -> None:
    """As behind an untrained network; what is small beside it tells of y."""
    random = np.random.default_rng(1)
    small = random.standard_normal((3000, 8)) @ random.standard_normal((8, 600)) * 1e-2
    large = random.standard_normal((3000, 1)) @ random.standard_normal((1, 600)) * 1e2
    y = small @ random.standard_normal((600, 2))
    found = solve((small + large).astype("float32"), y, np.arange(3000) % 5 == 4)
    assert found.r2 > 0.9


def test_noise_is_not_predicted() -> None:
    found = solve(RANDOM.standard_normal((300, 20)), RANDOM.standard_normal((300, 3)), HELD)
    assert found.r2 < 0.1


def test_without_a_bias_none_is_used() -> None:
    x = RANDOM.standard_normal((300, 4)) + 5
    found = solve(x, x[:, :1] * 2, HELD, is_centred=False)
    assert not found.bias.any()
    assert np.abs(found.weights[0] - 2).max() < 1e-3


def test_what_is_cut_off_costs_nothing() -> None:
    x = RANDOM.standard_normal((3000, 2))
    y = np.where(x[:, :1] > 0, x[:, :1], 10 * x[:, :1])  # a kink that a line cannot follow
    held = np.arange(3000) % 5 == 4
    plain, aimed = (solve(x, y, held, is_rectified=is_rectified) for is_rectified in (False, True))

    def error(found: object) -> float:
        given = np.maximum(x @ found.weights + found.bias, 0)  # type: ignore[attr-defined]
        return float(np.abs(given - np.maximum(y, 0)).mean())

    assert error(aimed) < 0.6 * error(plain)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
def test_patches_are_what_a_convolution_reads(padding: str, stride: int) -> None:
    x = RANDOM.standard_normal((2, 7, 6, 3))
    kernel = RANDOM.standard_normal((3, 2, 3, 4))
    wanted = _convolved(x, kernel, padding, stride)
    at = np.unravel_index(np.arange(prod(wanted.shape[:3])), wanted.shape[:3])
    seen = window((3, 2), {"strides": stride, "padding": padding}, (7, 6))
    found = rows(x, seen, at[0], at[1:]).reshape(len(at[0]), -1) @ kernel.reshape(-1, 4)
    assert np.abs(found - wanted.reshape(-1, 4)).max() < 1e-12


def _convolved(x: Array, kernel: Array, padding: str, stride: int) -> Array:
    if padding == "same":
        needs = [
            max((-(-n // stride) - 1) * stride + k - n, 0)
            for n, k in zip(x.shape[1:3], kernel.shape[:2], strict=True)
        ]
        x = np.pad(x, [(0, 0), *((n // 2, n - n // 2) for n in needs), (0, 0)])
    views = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.asarray(np.einsum("nhwcij,ijco->nhwo", views[:, ::stride, ::stride], kernel))


def test_grids_keep_the_mean() -> None:
    x = RANDOM.standard_normal((2, 7, 5, 3))
    assert np.allclose(resized(x, ()), x.mean((1, 2)))
    assert np.allclose(resized(np.ones((2, 7, 5, 3)), (3, 4)), 1)
    assert np.allclose(resized(np.ones((2, 3, 4, 1)), (7, 9)), 1)
    assert np.allclose(resized(x, (1, 1))[:, 0, 0], x.mean((1, 2)))


def test_channels_that_say_the_same_are_taken_last() -> None:
    y = RANDOM.standard_normal((200, 3))
    y = np.hstack([y[:, :1], y[:, :1] * 1.01, y[:, 1:]])
    assert {0, 1} - set(chosen(y, 3))
    assert sorted(set(chosen(y, 6))) == [0, 1, 2, 3]


def test_channels_that_pass_through_are_not_written_again() -> None:
    y = RANDOM.standard_normal((200, 4))
    assert set(chosen(y, 2, known=y[:, :2])) == {2, 3}


def test_easy_channels_go_to_the_branch_that_reaches_least() -> None:
    shares = shared_out(np.array([5, 6, 7]), np.array([0.1, 0.9, 0.5]), [2, 1], [9, 0])
    assert [list(share) for share in shares] == [[7, 5], [6]]


@pytest.mark.parametrize("has_scale", [True, False])
def test_a_norm_gives_in_training_what_it_gives_at_inference(has_scale: bool) -> None:
    x = RANDOM.standard_normal((50, 4, 4, 3)) * ([1.0, 2.0, 3.0] if has_scale else 1.0)
    roles = ("gamma", "beta") if has_scale else ("beta",)
    values = norm_values(_node("batchnorm", (0,), roles=roles, epsilon=1e-3), x, np.array([1.0, -1.0, 0.5]))
    outputs = [
        (x - mean) / np.sqrt(variance + 1e-3) * values.get("gamma", 1.0) + values["beta"]
        for mean, variance in (
            (values["moving_mean"], values["moving_variance"]),
            (x.mean((0, 1, 2)), x.var((0, 1, 2))),
        )
    ]
    assert np.allclose(*outputs)
    scale = 1 if has_scale else np.sqrt(values["moving_variance"] + 1e-3)
    assert np.allclose(outputs[0] * scale, x + np.array([1.0, -1.0, 0.5]))


def _node(kind: Kind, inputs: tuple[int, ...], width: int = 4, **more: object) -> Node:
    roles = more.pop("roles", ())
    return Node(f"{kind}{width}", kind, inputs, (8, 8, width), more, roles)  # type: ignore[arg-type]


RESIDUAL = (
    _node("input", ()),
    _node("conv", (0,)),
    _node("elementwise", (1,)),
    _node("conv", (2,)),
    _node("batchnorm", (3,)),
    _node("add", (2, 4)),
    _node("elementwise", (5,)),
    _node("pool", (6,)),
    _node("conv", (7,)),
)
BRANCHES = (
    _node("input", ()),
    _node("conv", (0,), 2),
    _node("elementwise", (1,), 2),
    _node("conv", (0,), 3),
    _node("elementwise", (3,), 3),
    _node("concat", (2, 4), 5),
    _node("conv", (5,)),
)


def test_cuts_stand_behind_activations_and_before_pools() -> None:
    found = cuts(RESIDUAL)
    assert [cut.node for cut in found] == [2, 6, 8]
    assert [cut.before for cut in found] == [1, 5, 8]


def test_a_sum_is_written_by_the_branch_and_the_shortcut_passes_through() -> None:
    found = slots(RESIDUAL, cuts(RESIDUAL)[1], after=2)
    assert [(slot.layer, slot.sums) for slot in found] == [(None, ((5, 0),)), (3, ((5, 1),))]


def test_branches_have_their_own_channels() -> None:
    cut = cuts(BRANCHES)[0]
    found = slots(BRANCHES, cut, after=0)
    assert cut.parts == (1, 3)
    assert [(slot.layer, slot.start, slot.width, slot.is_activated) for slot in found] == [
        (1, 0, 2, True),
        (3, 2, 3, True),
    ]


def test_a_bottleneck_keeps_what_the_kernel_behind_it_needs() -> None:
    """y is read three places away: at the place itself nothing predicts it."""
    x = RANDOM.standard_normal((2000, 3, 6))
    y = x[:, 0] @ np.eye(6)[:, :1] + x[:, 2] @ np.eye(6)[:, 1:2]
    space = Space(x[:, 1], 3, RANDOM)
    inner = np.stack([space.seen(x[:, place]) for place in range(3)], axis=1)
    found = space.directions(inner, y, 2, np.arange(2000) % 5 == 4, RANDOM)
    assert found.r2 > 0.99
    inside = found.weights[:2]
    assert (inside**2).sum() > 0.99 * (found.weights**2).sum()


def test_what_reads_a_bottleneck_is_found_with_its_taps() -> None:
    nodes = (_node("input", ()), _node("conv", (0,)), _node("elementwise", (1,)), _node("conv", (2,)))
    found = lead(_Kernels(nodes), 1, {3})  # type: ignore[arg-type]
    assert found is not None
    assert found.layers == (3,)
    assert [axis.offsets for axis in found.reach] == [(-1, 0, 1), (-1, 0, 1)]
    assert lead(_Kernels(nodes), 3, {1}) is None  # type: ignore[arg-type]


class _Kernels:
    """A flow as far as `lead` asks it: every kernel is 3x3, of `same` padding."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = tuple(replace(node, settings={"padding": "same"}) for node in nodes)

    def weights(self, node: int) -> dict[str, Array]:
        return {"kernel": np.zeros((3, 3, 4, 4))}


def test_places_that_several_taps_read_are_read_once() -> None:
    """A row's last tap is the next row's first; the one beyond the border is a zero."""
    rows = np.arange(4)
    taps = [((rows + n,), rows + n < 5) for n in (0, 1, 2)]
    taps = [((np.clip(places, 0, 4),), is_inside) for (places,), is_inside in taps]
    found = spots(np.zeros(4, dtype=int), rows == 3, taps, (5,))
    assert list(found.places[0]) == [0, 1, 2, 3, 4]
    values = np.arange(10.0, 15.0)[:, None]
    assert found.beside(values)[..., 0].tolist() == [[10, 11, 12], [11, 12, 13], [12, 13, 14], [13, 14, 0]]
    assert list(found.middle[1][0]) == [1, 2, 3, 4]


def test_directions_of_few_rows_stay_small_on_new_ones() -> None:
    """What hardly varies in twenty rows is not blown up to a direction of its own."""
    x, more = (RANDOM.standard_normal((n, 40)) @ RANDOM.standard_normal((40, 300)) for n in (20, 500))
    space = Space(x, 1, RANDOM)
    found = space.directions(space.seen(x)[:, None], x[:, :8], 64, np.arange(20) % 5 == 4, RANDOM)
    assert np.abs((more - x.mean(0)) @ found.weights).max() < 100


def test_a_filter_takes_the_taps_that_tell() -> None:
    """The first channel is read at its second tap, the second at its third."""
    x = RANDOM.standard_normal((2000, 3, 2))
    y = np.stack([x[:, 1, 0], x[:, 2, 1]], axis=1)
    found = filters(x, y, 1, np.arange(2000) % 5 == 4, RANDOM)
    assert found.r2 > 0.99
    assert list(np.abs(found.weights).argmax(0)) == [1, 2]
    assert np.allclose(np.sort(np.abs(found.weights), axis=0)[:2], 0, atol=0.05)


def test_even_steps_are_taken_where_one_would_be_long() -> None:
    found = cuts(RESIDUAL)
    unexplained = {(-1, 0): 0.5, (-1, 1): 1.0, (0, 1): 0.5}
    assert by_steps(found[:2], found[:2], unexplained) == [found[0], found[1]]
    assert by_steps(found[1:2], found[:2], unexplained) == [found[1]]


@pytest.mark.parametrize(
    ("source", "accuracy", "expected"), [(0.1, 0.1, False), (0.9, 0.1, True), (None, None, True)]
)
def test_a_source_that_is_right_no_more_often_than_a_control_helps_nothing(
    source: float | None, accuracy: float | None, expected: bool
) -> None:
    assert knows_more(source, Arm("random", 0.5, 0.2, accuracy)) is expected
