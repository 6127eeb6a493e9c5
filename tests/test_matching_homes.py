"""Norms of a file without data flow: each goes behind its own layer, whatever the file's order."""

from pathlib import Path

import numpy as np
import pytest
from keras_files import numbers, write_weights
from onnx_samples import Op, saved, values
from safetensors.numpy import save_file

import weightbridge as wb
from weightbridge.matching.sequences.alignment import align_by_worth

WIDTH = 6
KERNELS = {"stem": (WIDTH, 3, 3, 3), "main": (WIDTH, WIDTH, 3, 3), "short": (WIDTH, WIDTH, 1, 1)}
PARTS = ("gamma", "beta", "moving_mean", "moving_variance")
# main runs before the shortcut, as torch writes it; Keras lists the shortcut first, and here all norms behind
# all convolutions
STORED = ("stem", "short", "main")
NORMS = {name: ("ga", "gb", "gc")[i] for i, name in enumerate(STORED)}


def _source(folder: Path, *, folded: bool) -> Path:
    ops: list[Op] = []
    tensors: dict[str, np.ndarray] = {}
    for seed, (name, given) in enumerate([("stem", "x"), ("main", "stem"), ("short", "stem")]):
        tensors[f"{seed}k"] = values(KERNELS[name], seed)
        tensors |= {f"{seed}b": values((WIDTH,), seed + 40)} if folded else {}
        made, pad = name if folded else f"{name}-conv", KERNELS[name][2] // 2
        ops.append(
            ("Conv", [given, f"{seed}k", *([f"{seed}b"] if folded else [])], [made], {"pads": [pad] * 4})
        )
        if not folded:
            tensors |= {f"{seed}{part}": values((WIDTH,), 10 * i + seed) for i, part in enumerate(PARTS)}
            ops.append(("BatchNormalization", [made, *(f"{seed}{part}" for part in PARTS)], [name], {}))
    ops.append(("Add", ["main", "short"], ["y"], {}))
    return saved(
        folder / "source.onnx",
        ops,
        tensors,
        {"x": [1, 3, 8, 8]},
        ["y"],
        names=[f"N_{i}" for i in range(len(ops))],
    )


def _target(folder: Path, names: dict[str, str]) -> Path:
    kernels = {name: np.transpose(numbers(*KERNELS[name]), (2, 3, 1, 0)) for name in STORED}
    groups = {f"layers/conv2d_{i}": (names.get(n, f"u{n[:2]}"), [kernels[n]]) for i, n in enumerate(STORED)}
    norms = {
        f"layers/batch_normalization_{i}": (NORMS[n], [numbers(WIDTH, seed=i + 9)] * 4)
        for i, n in enumerate(STORED)
    }
    return write_weights(folder / "target.weights.h5", groups | norms)


@pytest.mark.parametrize(
    ("folded", "part"), [pytest.param(True, "b", id="folded"), pytest.param(False, "beta", id="whole")]
)
def test_a_norm_goes_behind_its_own_convolution(tmp_path: Path, folded: bool, part: str) -> None:
    steps = {s.target: s for s in wb.plan(_source(tmp_path, folded=folded), _target(tmp_path, {})).steps}
    found = {name: steps[f"{norm}/beta"].sources for name, norm in NORMS.items()}
    assert found == {"stem": (f"0{part}",), "main": (f"1{part}",), "short": (f"2{part}",)}


def test_an_epsilon_that_the_file_lacks_is_never_sure(tmp_path: Path) -> None:
    steps = {s.target: s for s in wb.plan(_source(tmp_path, folded=True), _target(tmp_path, {})).steps}
    assert max(steps[f"{norm}/gamma"].confidence for norm in NORMS.values()) <= 0.9


@pytest.mark.parametrize(
    ("source", "target", "worth", "expected"),
    [
        pytest.param([4, 8], [4, 8], [1, 1], [(0, 0, True), (1, 1, True)], id="equal"),
        pytest.param([4, 4, 8], [4, 8], [1, 1, 1], [(2, 1, True), (1, 0, False)], id="one-of-two"),
        pytest.param([4, 4, 8], [4, 8], [1, 0.5, 1], [(0, 0, True), (2, 1, True)], id="the-one-that-must"),
        pytest.param([4, 8], [8, 4], [1, 1], [(0, 1, False)], id="crossed"),
        pytest.param([4], [], [1], [], id="nothing"),
    ],
)
def test_only_what_every_best_alignment_has_is_steady(
    source: list[int], target: list[int], worth: list[float], expected: list[tuple[int, int, bool]]
) -> None:
    assert sorted(align_by_worth(source, target, worth)) == sorted(expected)


def test_a_counter_of_keras_is_no_place_in_a_feed_forward_layer(tmp_path: Path) -> None:
    names = ("dense", "dense_1", "dense_2")
    target = write_weights(
        tmp_path / "m.weights.h5", {f"layers/{n}": (n, [numbers(4, 4, seed=i)]) for i, n in enumerate(names)}
    )
    source = tmp_path / "m.safetensors"
    save_file({f"{n}.weight": numbers(4, 4, seed=n) for n in (0, 2, 4)}, source)
    steps = {
        s.target.partition("/")[0]: (*s.sources, s.confidence <= 0.9) for s in wb.plan(source, target).steps
    }
    assert steps == {
        "dense": ("0.weight", True),
        "dense_1": ("2.weight", True),
        "dense_2": ("4.weight", True),
    }
