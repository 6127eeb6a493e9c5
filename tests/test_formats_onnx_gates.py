"""Recurrent weights that the graph itself puts into ONNX's order.

Read as torch keeps them, and matched with Keras's.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import write_weights
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats

UNITS, WIDTH = 3, 4
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
SHAPES = {"k": WIDTH, "r": UNITS, "b": 0, "c": 0}


def tensors(op: str, side: str) -> dict[str, np.ndarray]:
    rows = len(ORDER[op]) * UNITS
    return {
        f"{n}{side}": values((rows, n2) if n2 else (rows,), i + 10 * bool(side))
        for i, (n, n2) in enumerate(SHAPES.items())
    }


def ordered(name: str, order: tuple[int, ...]) -> list[Op]:
    """A tensor's gates in another order, as the exporter writes it where it folds nothing."""
    cuts: list[Op] = [("Slice", [name, f"at{g}", f"at{g + 1}", "at0"], [f"{name}_{g}"], {}) for g in order]
    return [*cuts, ("Concat", [f"{name}_{g}" for g in order], [f"{name}_o"], {"axis": 0})]


JOINED = ("k", "r", "bc")


def recurrent(path: Path, op: str, order: tuple[int, ...], sides: tuple[str, ...] = ("",)) -> Path:
    ops: list[Op] = [o for side in sides for n in SHAPES for o in ordered(f"{n}{side}", order)]
    for side in sides:
        ops += [("Concat", [f"b{side}_o", f"c{side}_o"], [f"bc{side}_o"], {"axis": 0})]
        ops += [("Unsqueeze", [f"{n}{side}_o", "at0"], [f"{n}{side}_u"], {}) for n in JOINED]
    for n in JOINED:
        ops += [("Concat", [f"{n}{side}_u" for side in sides], [n.upper()], {"axis": 0})]
    options: dict[str, Any] = {"hidden_size": UNITS}
    options["direction"] = "bidirectional" if len(sides) > 1 else "forward"
    if op == "GRU":
        options["linear_before_reset"] = 1
    ops += [(op, ["x", "K", "R", "BC"], ["y"], options)]
    values = {f"at{i}": np.array([i * UNITS]) for i in range(5)}
    for side in sides:
        values = tensors(op, side) | values
    return saved(path, ops, values, {"x": [5, "n", WIDTH]}, ["y"])


@pytest.mark.parametrize("op", ORDER)
def test_torch_s_own_tensors_are_the_layer_s(tmp_path: Path, op: str) -> None:
    (layer,) = (x for x in formats.read(recurrent(tmp_path / "m.onnx", op, ORDER[op])).layers if x.tensors)
    assert {t.name: t.role for t in layer.tensors} == {
        "k": "kernel",
        "r": "recurrent_kernel",
        "b": "bias",
        "c": "recurrent_bias",
    }
    assert (layer.op, layer.attributes["weights"]) == (op, "torch")


@pytest.mark.parametrize(
    ("op", "order"), [("LSTM", (0, 1, 2, 3)), ("GRU", (0, 1, 2)), ("LSTM", (0, 3, 2, 1))]
)
def test_gates_in_any_other_order_are_not_taken_for_torch_s(
    tmp_path: Path, op: str, order: tuple[int, ...]
) -> None:
    graph = formats.read(recurrent(tmp_path / "m.onnx", op, order))
    assert [x.op for x in graph.layers if x.tensors] == ["Opaque"]


CELL = ("lstm_cell", [np.zeros(s, "f4") for s in ((WIDTH, 12), (UNITS, 12), (12,))])


def test_both_directions_go_into_weights_alone(tmp_path: Path) -> None:
    """The file lists the backward layer first."""
    groups = {f"layers/bidirectional/{side}_layer/cell": CELL for side in ("backward", "forward")}
    target = write_weights(tmp_path / "t.weights.h5", groups)
    source = recurrent(tmp_path / "m.onnx", "LSTM", ORDER["LSTM"], ("", "2"))
    wb.transfer(source, target, output=tmp_path / "o.weights.h5", verify=False)
    layers = [x for x in formats.read(tmp_path / "o.weights.h5").layers if x.tensors]
    assert len(layers) == 2
    for layer in layers:
        number = "2" if "backward" in layer.name else ""
        given, found = tensors("LSTM", number), {t.role: t.load() for t in layer.tensors}
        assert np.array_equal(found["kernel"], given[f"k{number}"].T)
        assert np.array_equal(found["recurrent_kernel"], given[f"r{number}"].T)
        assert np.allclose(found["bias"], given[f"b{number}"] + given[f"c{number}"])


def test_a_bias_of_an_unknown_layer_is_not_called_zero(tmp_path: Path) -> None:
    target = write_weights(tmp_path / "t.weights.h5", {"layers/lstm/cell": CELL})
    made = wb.check(recurrent(tmp_path / "m.onnx", "LSTM", (0, 1, 2, 3)), target)
    assert "WB306" not in {f.code for f in made.findings}
