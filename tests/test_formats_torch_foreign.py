"""PyTorch checkpoints with objects of foreign classes beside readable weights, and the choice of a copy."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_files import Call, Named, tensor, zip_file

from weightbridge import formats
from weightbridge.errors import UnsafeContent, UsageError

WEIGHTS = {"a.weight": tensor("0", "float32", (2, 2))}
OTHER = {"a.weight": tensor("1", "float32", (2, 2))}
BYTES = {"0": np.arange(4, dtype="f4").tobytes(), "1": np.arange(4, 8, dtype="f4").tobytes()}


def first_values(path: Path, weights: str) -> dict[str, float]:
    """The first number of each tensor that is read."""
    graph = formats.read(path, {"weights": weights})
    return {tensor.name: float(tensor.load().flat[0]) for tensor in graph.tensors}


PASSED_OVER: dict[str, tuple[str, Any]] = {
    "a dataclass": ("hyper_parameters", Call(Named("mynet.Config"), (), {"lr": 1})),
    "an enum": ("mode", Call(Named("mynet.Mode"), (1,))),
    "a function": ("activation", Named("mynet.act")),
    "a class": ("activation", Named("torch.nn.modules.activation.ReLU")),
    "a partial": ("norm", Call(Named("functools.partial"), (Named("mynet.norm"),), {"eps": 1})),
    "a reconstructed object": (
        "cfg",
        Call(Named("copyreg._reconstructor"), (Named("models.Yolo"), Named("builtins.object"), None)),
    ),
    "an optimizer with tensors": ("optimizer", Call(Named("mynet.Lion"), (), {"state": OTHER})),
    "callbacks": ("callbacks", {"x": Call(Named("mynet.Callback"), (), {"best": OTHER})}),
    "an average as a module": ("ema", Call(Named("mynet.Net"), (), {"_modules": OTHER})),
    "a random state of numpy": (
        "rng",
        Call(
            Named("numpy.random._pickle.__randomstate_ctor"),
            (Call(Named("numpy.random._pickle.__bit_generator_ctor"), ("MT19937",)),),
        ),
    ),
    "an older random state": ("rng", Call(Named("numpy.random.__RandomState_ctor"), ())),
    "a generator of numpy": (
        "rng",
        Call(Named("numpy.random._pickle.__generator_ctor"), ("PCG64",), {"state": {"seed": 1}}),
    ),
    "a generator of PyTorch": ("gen", Call(Named("torch._C.Generator"), (), {"state": OTHER})),
    "a masked array": ("mask", Call(Named("numpy.ma.core._mareconstruct"), (Named("numpy.ndarray"),))),
    "a class of scripts": ("x", Call(Named("__torch__.Net"), (), {})),
}


@pytest.mark.parametrize("name", PASSED_OVER)
def test_what_no_weight_needs_is_passed_over_and_said(tmp_path: Path, name: str) -> None:
    key, value = PASSED_OVER[name]
    graph = formats.read(zip_file(tmp_path / "m.ckpt", {"state_dict": WEIGHTS, key: value}, BYTES))
    assert [t.name for t in graph.tensors] == ["a.weight"]
    assert any(f.code == "WB108" and "passed over" in f.message for f in graph.findings)


INSIDE: dict[str, Any] = {
    "the model as a module": {"model": Call(Named("mynet.Net"), (), {"_modules": WEIGHTS})},
    "beside a tensor": {"net": Call(Named("mynet.Net"), (), {"p": WEIGHTS}), "anchors": WEIGHTS["a.weight"]},
    "in a dict of its own class": {"model": Call(Named("mynet.Dict"), (WEIGHTS,))},
    "reconstructed": {
        "model": Call(
            Named("copyreg._reconstructor"),
            (Named("mynet.Net"), Named("builtins.object"), None),
            {"p": WEIGHTS},
        )
    },
    "in a random state": {
        "model": Call(Named("numpy.random._pickle.__generator_ctor"), (), {"mynet": WEIGHTS})
    },
    "a function of numpy that is no maker": {
        "state_dict": WEIGHTS,
        "x": Call(Named("numpy.mynet_load"), ("f",)),
    },
    "a function that makes them": {"state_dict": WEIGHTS, "x": Call(Named("mynet.make"), ())},
}


@pytest.mark.parametrize("name", INSIDE)
def test_weights_inside_an_object_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeContent, match=r"mynet|numpy\.random"):
        formats.read(zip_file(tmp_path / "m.pt", INSIDE[name], BYTES))


def test_the_copy_that_a_note_names_can_be_read(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "m.pt", {"model": WEIGHTS, "ema": {"module": OTHER}}, BYTES)
    (note,) = formats.read(path).findings
    way = re.search(r"--source-arg weights=(\S+)", note.fix)
    assert way
    assert set(first_values(path, way[1]).values()) == {4}
    assert set(first_values(path, "ema.module").values()) == {4}
    assert set(first_values(path, "model").values()) == {0}


def test_a_copy_in_a_scope_can_be_read(tmp_path: Path) -> None:
    both = WEIGHTS | {"model_ema.a.weight": OTHER["a.weight"]}
    path = zip_file(tmp_path / "m.pt", {"state_dict": both}, BYTES)
    assert first_values(path, "model_ema") == {"model_ema.a.weight": 4}


@pytest.mark.parametrize("arguments", [{"weights": "emma"}, {"wheights": "ema"}, {"lora_alpha": "much"}])
def test_an_argument_that_names_nothing_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    path = zip_file(tmp_path / "m.pt", {"model": WEIGHTS, "ema": OTHER}, BYTES)
    with pytest.raises(UsageError):
        formats.read(path, arguments)
