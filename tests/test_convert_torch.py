"""convert of live torch modules: exported with their names, and compared with the module itself."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_convert import run
from test_convert_output import no_file_beyond

import weightbridge as wb
from weightbridge.errors import OutputError, UsageError

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what torch says of its exporter
torch: Any = pytest.importorskip("torch")

MODULES = '''
from dataclasses import dataclass

import torch
from torch import nn


class Net(nn.Module):
    """Two blocks of equal values: an exporter that merges equal tensors would lose the names of one."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.load_state_dict(self.first.state_dict())
        self.drop = nn.Dropout(0.5)

    def forward(self, image):
        x = self.stem(image).mean((2, 3))
        return {"classes": self.second(self.drop(self.first(x))), "mean": x, "note": "no tensor"}


def net():
    torch.manual_seed(0)
    made = Net()
    nn.init.uniform_(made.stem[1].running_var, 0.5, 2.0)
    return made


def with_example():
    return net(), torch.randn(2, 3, 8, 6)


def by_name():
    return net(), {"image": torch.randn(2, 3, 8, 6)}


def ids():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(10, 4, batch_first=True)

    def forward(self, words):
        return self.gru(self.lstm(self.embedding(words))[0])[0]


def tagger():
    torch.manual_seed(0)
    return Tagger(), torch.randint(0, 20, (2, 7))


def encoder():
    """Both layers begin with the same weights."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 3, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2), torch.randn(2, 7, 12)


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.register_buffer("mask", torch.ones(4, 4).triu(1) == 1)

    def forward(self, x):
        return self.first(x).masked_fill(self.mask, float("-inf")).softmax(-1)


def masked():
    torch.manual_seed(0)
    return Masked(), torch.randn(2, 4, 4)


@dataclass
class Said:
    scores: object
    nothing: object = None


class Bag(nn.Module):
    def __init__(self, mode, padding):
        super().__init__()
        self.bag = nn.EmbeddingBag(9, 4, mode=mode, padding_idx=padding)
        self.head = nn.Linear(4, 2)

    def forward(self, words):
        return Said(self.head(self.bag(words)))


def bag(mode, padding=None):
    torch.manual_seed(0)
    return Bag(mode, padding), torch.tensor([[1, 2, 0, 0], [3, 0, 5, 0]])


def fails():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("only on Sundays")

    return Fails()


def number():
    return 3
'''


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_modules.py").write_text(MODULES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)


def made(name: str) -> Any:
    import importlib

    return getattr(importlib.import_module("own_modules"), name)()


@pytest.mark.parametrize(
    ("mode", "padding"), [("mean", None), ("sum", None), ("max", None), ("mean", 0), ("sum", 0)]
)
def test_bags_of_rows_are_looked_up_and_joined(mode: str, padding: int | None, tmp_path: Path) -> None:
    told = {"mode": mode, "padding": padding}
    report = wb.convert("py:own_modules:bag", tmp_path / "m.keras", source_arguments=told, evidence="quick")
    compared = {one["name"]: one["status"] for one in report.verification.outputs}
    assert compared == {"scores": "equal"}


@pytest.mark.parametrize(
    ("name", "options"),
    [("with_example", {}), ("by_name", {}), ("net", {"input_shape": (1, 3, 8, 6)})],
    ids=["example", "example by name", "shape"],
)
def test_names_and_batchnorm_are_kept(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    report = wb.convert(f"py:own_modules:{name}", tmp_path / "net.onnx", **options)
    graph = wb.read(tmp_path / "net.onnx")
    kept = {key for key in made("net").state_dict() if not key.endswith("num_batches_tracked")}
    assert {tensor.name for tensor in graph.tensors} == kept
    assert [layer.name for layer in graph.layers if layer.op == "BatchNorm"] == ["stem.1"]
    assert report.verification.evidence["reference"] == "torch"
    assert report.verification.evidence["outputs_compared"] == 2
    assert report.source is not None
    assert (report.source.path, report.source.format) == (f"py:own_modules:{name}", "python")
    assert [f.message for f in report.findings if f.code == "WB108"] == [
        "outputs that are no tensors are left out: note"
    ]
    assert [f.source for f in report.findings if f.code == "WB407"] == ["drop"]


def test_it_becomes_keras_by_its_own_names(tmp_path: Path) -> None:
    import keras

    report = wb.convert("py:own_modules:with_example", tmp_path / "net.keras")
    assert report.verification.evidence["reference"] == "torch"
    model = keras.saving.load_model(tmp_path / "net.keras")
    weighted = {layer.name: type(layer).__name__ for layer in model.layers if layer.weights}
    assert weighted == {
        "stem_0": "Conv2D", "stem_1": "BatchNormalization", "first": "Dense", "second": "Dense",
    }  # fmt: skip
    assert model.input_shape == (None, 8, 6, 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tagger", ["Embedding", "Bidirectional", "Bidirectional", "GRU"]),
        ("encoder", 2 * ["MultiHeadAttention", "LayerNormalization", "Dense", "Dense", "LayerNormalization"]),
    ],
)
def test_layers_that_a_person_would_have_written(name: str, expected: list[str], tmp_path: Path) -> None:
    import keras

    assert run(f"py:own_modules:{name}", str(tmp_path / "m.keras")) == 0
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert [type(layer).__name__ for layer in model.layers if layer.weights] == expected


def test_infinity_in_a_mask_is_no_weight(tmp_path: Path) -> None:
    assert run("py:own_modules:masked", str(tmp_path / "m.onnx")) == 0


def test_a_live_module_gives_a_live_model() -> None:
    import keras
    import numpy as np

    module, image = made("with_example")
    model = wb.convert((module, image))
    assert isinstance(model, keras.Model)
    with torch.no_grad():
        expected = [value for value in module.eval()(image).values() if isinstance(value, torch.Tensor)]
    found = model(np.moveaxis(image.numpy(), 1, -1))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(one), other, atol=1e-5)


def test_a_live_module_stays_as_it_was(tmp_path: Path) -> None:
    module = made("net")
    module.stem.eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    wb.convert((module, torch.zeros(1, 3, 8, 6)), tmp_path / "net.onnx")
    assert module.training
    assert not module.stem.training
    assert "forward" not in vars(module)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_integers_where_floats_do_not_run(tmp_path: Path) -> None:
    assert run("py:own_modules:ids", str(tmp_path / "ids.onnx"), "--input-shape", "1,5") == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("net", ()),
        ("with_example", ("--input-shape", "1,3,8,6")),
        ("net", ("--input-shape", "1,3,8,6", "--input-shape", "1,2")),
        ("net", ("--input-shape", "1,4,8,6")),
        ("net", ("--input-shape", "1,-3,8,6")),
        ("with_example", ("--engine", "tf2onnx")),
        ("with_example", ("--input-layout", "nchw")),
        ("fails", ("--input-shape", "1,3")),
        ("number", ("--input-shape", "1,3")),
    ],
    ids=[
        "nothing said",
        "said twice",
        "too many",
        "unfit",
        "negative",
        "engine",
        "layout",
        "fails",
        "no model",
    ],
)
def test_refused_as_usage(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    assert run(f"py:own_modules:{name}", str(tmp_path / "no.onnx"), *options) == 2
    assert not (tmp_path / "no.onnx").exists()


def test_a_planted_fault_is_noticed(tmp_path: Path) -> None:
    """A module that computes something else each time it runs: what was written is not it."""

    class Drifts(torch.nn.Module):  # type: ignore[misc]  # Any
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = torch.nn.Linear(4, 3), 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return self.inner(x) * (1 + 0.01 * self.calls)

    with pytest.raises(wb.VerdictError):
        wb.convert((Drifts(), torch.ones(2, 4)), tmp_path / "no.onnx")
    assert not (tmp_path / "no.onnx").exists()


def test_a_full_disk_is_no_fault_of_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would keep half of a compiled module
    module = torch.nn.Sequential(torch.nn.Linear(40, 40), torch.nn.ReLU())
    with no_file_beyond(1000), pytest.raises(OutputError, match="cannot be written: File too large"):
        wb.convert((module, torch.zeros(1, 40)), tmp_path / "new.keras", verify=False)
    assert not list(tmp_path.glob("*new*"))


def test_shapes_are_for_modules_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--input-shape is for a torch module"):
        wb.convert(tmp_path / "model.keras", tmp_path / "no.onnx", input_shape=[(1, 3)])


def test_the_example_prints_what_the_readme_says() -> None:
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, root / "examples" / "from_torch.py"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    measured = re.compile(r"\d\.\de-\d\d")  # differs between processors
    assert measured.sub("_", printed) in measured.sub("_", (root / "README.md").read_text())


class TwiceRead(torch.nn.Module):  # type: ignore[misc]  # torch is not known to mypy here
    """One layer for two sequences, whose last states of both directions are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = torch.nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.head = torch.nn.Linear(12, 2)

    def forward(self, one: Any, other: Any) -> Any:
        states = [self.rnn(value)[1][0] for value in (one, other)]
        return self.head(torch.cat([half for state in states for half in (state[0], state[1])], 1))


class Started(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.rnn = torch.nn.LSTM(4, 3, batch_first=True)

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        return self.rnn(x, (h[None], c[None]))[0]


def test_a_layer_for_two_sequences_is_one() -> None:
    model = wb.convert((TwiceRead(), (torch.randn(2, 5, 4), torch.randn(2, 5, 4))))
    assert [type(layer).__name__ for layer in model.layers if layer.weights] == ["Bidirectional", "Dense"]


def test_states_that_are_inputs_are_read() -> None:
    example = (torch.randn(2, 5, 4), torch.randn(2, 3), torch.randn(2, 3))
    model = wb.convert((Started(), example))
    assert [type(layer).__name__ for layer in model.layers if layer.weights] == ["LSTM"]
