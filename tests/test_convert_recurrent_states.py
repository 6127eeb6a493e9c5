"""Recurrent layers as torch exports them, with states that the model is fed: never left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import Op, saved, values
from test_convert import converted

import weightbridge as wb
from weightbridge.converting.from_graph import Settings, drawn
from weightbridge.errors import Unsupported

UNITS, INPUTS = 3, 4
BOUNDS = {name: np.array([n * UNITS], np.int64) for n, name in enumerate(("zero", "one", "two", "three"))}
GRU = {"hidden_size": UNITS, "linear_before_reset": 1}


def in_order(name: str, prefix: str) -> list[Op]:
    """Torch's gates r z n as ONNX's z r n, which the graph cuts and joins."""
    parts = [("z", "one", "two"), ("r", "zero", "one"), ("n", "two", "three")]
    cuts: list[Op] = [
        ("Slice", [name, first, last, "rows"], [f"{prefix}_{gate}"], {}) for gate, first, last in parts
    ]
    return [*cuts, ("Concat", [f"{prefix}_{gate}" for gate, _, _ in parts], [prefix], {"axis": 0})]


def graph(path: Path, sides: tuple[str, ...], state: list[Op], **settings: Any) -> Path:
    ops: list[Op] = [("Transpose", ["x"], ["steps"], {"perm": [1, 0, 2]}), *state]
    tensors: dict[str, np.ndarray] = {**BOUNDS, "rows": np.array([0], np.int64)}
    for part, width in (("ih", INPUTS), ("hh", UNITS)):
        for n, side in enumerate(sides):
            name = f"rnn.weight_{part}_l0{side}"
            tensors[name] = values((3 * UNITS, width), n)
            ops += [
                *in_order(name, f"{part}{side}"),
                ("Unsqueeze", [f"{part}{side}", "rows"], [f"one_{part}{side}"], {}),
            ]
        ops.append(("Concat", [f"one_{part}{side}" for side in sides], [f"all_{part}"], {"axis": 0}))
    ops += [
        ("GRU", ["steps", "all_ih", "all_hh", "", "", "state"], ["whole"], {**GRU, **settings}),
        ("Transpose", ["whole"], ["y"], {"perm": [2, 0, 1, 3]}),
    ]
    inputs = {"x": ["n", 5, INPUTS], "h": ["n", UNITS]}
    saved(path / "m.onnx", ops, tensors, inputs, ("y",))
    return path / "m.onnx"


def test_a_state_that_is_fed_is_the_initial_state(tmp_path: Path) -> None:
    state: list[Op] = [("Unsqueeze", ["h", "rows"], ["state"], {})]
    layers = drawn(wb.read(graph(tmp_path, ("",), state)), Settings()).config["config"]["layers"]
    (layer,) = [one for one in layers if one["class_name"] == "GRU"]
    (fed,) = layer["inbound_nodes"][0]["kwargs"]["initial_state"]
    assert fed["config"]["keras_history"] == ["h", 0, 0]


def test_states_of_both_directions_are_refused_by_name(tmp_path: Path) -> None:
    state: list[Op] = [
        ("Unsqueeze", ["h", "rows"], ["one_state"], {}),
        ("Concat", ["one_state", "one_state"], ["state"], {"axis": 0}),
    ]
    path = graph(tmp_path, ("", "_reverse"), state, direction="bidirectional")
    with pytest.raises(Unsupported, match=r"GRU is given initial_state\.0 in both directions"):
        drawn(wb.read(path), Settings())


HARD = ["HardSigmoid", "Tanh"]


@pytest.mark.parametrize(
    ("alpha", "factor"), [(None, 1.2), (0.3, 1.8), (1 / 6, None)], ids=["ONNX's", "another", "Keras's"]
)
def test_a_hard_sigmoid_of_gates_is_in_their_weights(
    alpha: float | None, factor: float | None, tmp_path: Path
) -> None:
    told = {} if alpha is None else {"activation_alpha": [alpha], "activation_beta": [0.5]}
    state: list[Op] = [("Unsqueeze", ["h", "rows"], ["state"], {})]
    made = drawn(wb.read(graph(tmp_path, ("",), state, activations=HARD, **told)), Settings())
    (layer,) = [one for one in made.config["config"]["layers"] if one["class_name"] == "GRU"]
    assert layer["config"]["recurrent_activation"] == "hard_sigmoid"
    parameters = [weight.parameters for weight in made.weights if weight.transform == "scaled"]
    assert len(parameters) == (2 if factor else 0)
    assert all(one["blocks"] == [0, 1] for one in parameters)
    assert [one["factor"] for one in parameters] == pytest.approx([factor] * len(parameters))


def test_a_hard_sigmoid_with_another_offset_is_refused(tmp_path: Path) -> None:
    told = {"activations": HARD, "activation_alpha": [0.3], "activation_beta": [0.4]}
    path = graph(tmp_path, ("",), [("Unsqueeze", ["h", "rows"], ["state"], {})], **told)
    with pytest.raises(Unsupported, match="hard_sigmoid"):
        drawn(wb.read(path), Settings())


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
def test_gates_with_a_hard_sigmoid_compute_the_same(tmp_path: Path) -> None:
    path = graph(tmp_path, ("",), [("Unsqueeze", ["h", "rows"], ["state"], {})], activations=HARD)
    assert converted(path, tmp_path / "m.keras")[0] == 0
