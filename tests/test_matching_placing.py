"""A norm right behind its convolution and one behind an activation.

Which of them an exporter folded away.
"""

from pathlib import Path

from keras_files import functional, layer, numbers, source, write_keras
from onnx_samples import Op, saved, values

import weightbridge as wb

WIDTH = 4
NORM = {"epsilon": 1e-3}


def _source(folder: Path, *, folds_first: bool) -> Path:
    """A convolution, an activation and what is left of one norm, behind the activation or before it.

    Then a convolution with a skip.
    """
    affine: list[Op] = [("Mul", ["n", "s"], ["m"], {}), ("Add", ["m", "t"], ["o"], {})]
    relu: Op = ("Relu", ["c"], ["n"], {}) if folds_first else ("Relu", ["o"], ["r"], {})
    first: list[Op] = (
        [relu, *affine]
        if folds_first
        else [(op, ["c" if v == "n" else v for v in i], o, a) for op, i, o, a in affine] + [relu]
    )
    last = "o" if folds_first else "r"
    ops: list[Op] = [
        ("Conv", ["x", "k", "b"], ["c"], {}),
        *first,
        ("Conv", [last, "k2"], ["d"], {}),
        ("Concat", ["n" if folds_first else "r", "d"], ["y"], {"axis": 1}),
    ]
    tensors = {"k": values((WIDTH, 3, 3, 3), 1), "b": values((WIDTH,), 2), "k2": values((5, WIDTH, 3, 3), 3)}
    tensors |= {"s": values((1, WIDTH, 1, 1), 4), "t": values((1, WIDTH, 1, 1), 5)}
    return saved(
        folder / "s.onnx", ops, tensors, {"x": [1, 3, 9, 9]}, ["y"], names=[f"N_{i}" for i in range(len(ops))]
    )


def _target(folder: Path) -> Path:
    names = ["u1", "u2", "u3", "u4", "u5"]
    conv = {"kernel_size": [3, 3], "use_bias": False}
    layers = [
        source("u0", (9, 9, 3)),
        layer("Conv2D", "u1", filters=WIDTH, **conv),
        layer("BatchNormalization", "u2", **NORM),
        layer("Activation", "u3", activation="relu"),
        layer("BatchNormalization", "u4", **NORM),
        layer("Conv2D", "u5", filters=5, **conv),
        layer("Concatenate", "u6", axis=-1),
    ]
    calls = {name: [[before]] for name, before in zip(names, ["u0", *names], strict=False)} | {
        "u6": [["u3", "u5"]]
    }
    groups = {
        "layers/conv2d": ("u1", [numbers(3, 3, 3, WIDTH)]),
        "layers/conv2d_1": ("u5", [numbers(3, 3, WIDTH, 5)]),
    }
    norms = {
        f"layers/batch_normalization{n}": (name, [numbers(WIDTH)] * 4)
        for n, name in (("", "u2"), ("_1", "u4"))
    }
    return write_keras(folder / "t.keras", functional(layers, calls, [["u6", 0, 0]]), groups | norms)


def test_the_norm_behind_the_activation_is_the_one_that_is_left(tmp_path: Path) -> None:
    steps = {
        s.target: s.sources for s in wb.plan(_source(tmp_path, folds_first=True), _target(tmp_path)).steps
    }
    assert (steps["u2/beta"], steps["u4/gamma"]) == (("b",), ("s", "t"))
    assert steps["u2/gamma"] == steps["u4/moving_mean"] == ()


def test_a_norm_in_front_of_the_activation_is_never_the_one_behind_it(tmp_path: Path) -> None:
    steps = {s.target: s for s in wb.plan(_source(tmp_path, folds_first=False), _target(tmp_path)).steps}
    assert not (steps["u4/gamma"].sources == ("s", "t") and steps["u4/gamma"].confidence > 0.9)
