"""convert from ONNX to Keras: inputs whose batch is another axis than the first one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import saved, values
from test_convert import run

from weightbridge.converting.from_graph.source.batches import batch_places
from weightbridge.formats.running import InputSpec
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.verify.pairing import pair_inputs

TENSORS = {"axis": np.array([1]), "w": values((1, 12, 4)) - 0.5, "r": values((1, 12, 3), 1) - 0.5}
LSTM = [
    ("LSTM", ["x", "w", "r", "", "", "h", "c"], ["all", "state", "cell"], {"hidden_size": 3}),
    ("Squeeze", ["all", "axis"], ["y"], {}),
]
TOLD = {"x": [7, "n", 4], "h": [1, "n", 3], "c": [1, "n", 3]}
PLACES = {
    "the first of all": ({"x": (None, 4), "y": (None, 4)}, [{"x": 0, "y": 0}]),
    "an image": ({"x": (1, 3, 8, 8)}, [{"x": 0}]),
    "states": (
        {"x": (None, 7, 4), "h": (1, None, 3)},
        [{"x": 0, "h": 0}, {"x": 0, "h": 1}],
    ),
    "numbers": ({"x": (2, 7, 4), "h": (1, 2, 3)}, [{"x": 0, "h": 0}, {"x": 0, "h": 1}, {"x": 1, "h": 1}]),
    "vectors": ({"x": (None,)}, [{"x": 0}]),
}


@pytest.mark.parametrize("case", PLACES)
def test_where_the_batch_may_be(case: str) -> None:
    shapes, expected = PLACES[case]
    assert list(batch_places(_graph(shapes))) == expected


@pytest.mark.parametrize(
    ("reference", "candidate", "turn"),
    [
        ((7, None, 4), (None, 7, 4), "batch-second"),
        ((1, None, 4), (None, 1, 4), "batch-second"),
        ((7, None), (None, 7), "batch-second"),
        ((None, 7, 4), (None, 7, 4), "same"),
        ((7, None, 4), (None, None, 4), "same"),
        ((7, 2, 4), (None, 5, 4), None),
    ],
)
def test_how_a_moved_batch_is_fed(reference: Any, candidate: Any, turn: str | None) -> None:
    ways = pair_inputs([InputSpec("x", reference, "float32")], [InputSpec("x", candidate, "float32")])
    assert (ways[0][0].turn if ways else None) == turn


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
@pytest.mark.parametrize("outputs", [("y",), ("state", "cell")])
def test_states_and_sequences_with_the_batch_second(outputs: tuple[str, ...], tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", LSTM, TENSORS, TOLD, outputs)
    output = tmp_path / "m.keras"
    assert run(str(path), str(output), "--evidence", "quick", "--quiet") == 0
    assert _input_shapes(output) == [(None, 7, 4), (None, 1, 3), (None, 1, 3)]


def _graph(shapes: dict[str, tuple[int | None, ...]]) -> LayerGraph:
    layers = [
        Layer(name, "Input", "Input", {"batch": shape[0], "shape": shape[1:]})
        for name, shape in shapes.items()
    ]
    layers.append(Layer("lstm", "LSTM", "LSTM", {}))
    return LayerGraph("m", "onnx", "onnx", layers=tuple(layers), inputs=tuple(shapes))


def _input_shapes(path: Path) -> list[tuple[int | None, ...]]:
    import keras

    return [tuple(tensor.shape) for tensor in keras.models.load_model(path).inputs]
