"""PyTorch checkpoints: names, shapes, dtypes and values as torch has them, wrappers opened, what is left out
said.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_files import SYSTEM, Call, Named, dumps, held, legacy_file, rebuilt, storage, tensor, zip_file

from weightbridge import formats
from weightbridge.errors import MissingFile, Unsupported, UsageError
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.templates import template_of
from weightbridge.model.graph import LayerGraph

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "torch"
VALUES: dict[str, dict[str, tuple[str, list[int], list[float]]]] = json.loads(
    (FIXTURES / "values.json").read_text()
)
WRITTEN = [
    ("plain.pt", "plain", "torch-zip", set()),
    ("plain_legacy.pt", "plain", "torch-legacy", set()),
    ("protocol4.pt", "plain", "torch-zip", set()),
    ("views.pt", "views", "torch-zip", set()),
    ("views_legacy.pt", "views", "torch-legacy", set()),
    ("dtypes.pt", "dtypes", "torch-zip", {"WB109"}),
    ("quantised.pt", "quantised", "torch-zip", {"WB109"}),
    ("script.pt", "script", "torch-zip", set()),
    ("checkpoint.pt", "checkpoint", "torch-zip", {"WB108"}),
]


@pytest.mark.parametrize(("name", "values", "format", "codes"), WRITTEN, ids=[w[0] for w in WRITTEN])
def test_files_that_torch_wrote(name: str, values: str, format: str, codes: set[str]) -> None:
    graph = formats.read(FIXTURES / name)
    expected = {n: v for n, v in VALUES[values].items() if v[0] != "int64"}
    assert {t.name: (t.dtype, list(t.shape)) for t in graph.tensors} == {
        n: (dtype, shape) for n, (dtype, shape, _) in expected.items()
    }
    for stored in graph.tensors:
        found = stored.load()
        assert (found.shape, found.dtype.name) == (stored.shape, stored.dtype)
        assert found.astype("float64").reshape(-1).tolist() == expected[stored.name][2]
    assert (graph.format, {f.code for f in graph.findings}) == (format, codes)


def test_layers_of_a_state_dict() -> None:
    graph = formats.read(FIXTURES / "plain.pt")
    assert {x.name: x.op for x in graph.layers} == {
        "conv": "Conv",
        "norm": "BatchNorm",
        "first": "Dense",
        "second": "Dense",
    }
    assert [(e.name, e.reason) for e in graph.excluded] == [("norm.num_batches_tracked", "state")]
    assert (graph.framework, graph.producer, graph.has_flow) == ("torch", "PyTorch", False)


@pytest.mark.parametrize("name", ["plain.pt", "plain_legacy.pt"])
def test_tied_weights_keep_both_names(name: str) -> None:
    layers = formats.read(FIXTURES / name).by_name
    assert layers["second"].attributes["tied"] == {"kernel": "first.weight"}
    assert [t.name for t in layers["second"].tensors] == ["second.weight"]
    assert "tied" not in layers["first"].attributes


def test_views_of_one_storage_are_not_tied_where_they_differ() -> None:
    assert not any("tied" in layer.attributes for layer in formats.read(FIXTURES / "views.pt").layers)


def test_a_checkpoint_says_what_it_leaves_out() -> None:
    graph = formats.read(FIXTURES / "checkpoint.pt")
    reasons = {e.name: e.reason for e in graph.excluded}
    assert reasons["optimizer.state.0.momentum_buffer"] == "optimizer"
    assert (
        reasons["ema.conv.weight"]
        == reasons["rng_state"]
        == reasons["module.norm.num_batches_tracked"]
        == "state"
    )
    (said,) = graph.findings
    assert (said.code, said.severity) == ("WB108", "note")
    assert "state_dict" in said.message
    assert all(key in said.message for key in ("optimizer", "ema", "rng_state"))


def test_a_quantised_tensor_has_its_scale_noted() -> None:
    graph = formats.read(FIXTURES / "quantised.pt")
    assert graph.by_name["conv"].attributes["quantised"] == {"kernel": "scale 0.125, zero point 3"}
    assert "zero point 3" in graph.findings[0].message


def test_torchscript_gives_its_parameters_and_runs_no_code() -> None:
    assert formats.read(FIXTURES / "script.pt").producer == "TorchScript"


def weights(shift: float = 0) -> dict[str, np.ndarray]:
    return {
        "a.weight": np.arange(6, dtype="f4").reshape(2, 3) + np.float32(shift),
        "a.bias": np.ones(2, "f4"),
    }


def saved(path: Path, value: dict[str, Any]) -> LayerGraph:
    """A checkpoint whose arrays became storages; dicts of arrays are state dicts."""
    storages: dict[str, bytes] = {}
    pickled = stored(value, storages)
    return formats.read(zip_file(path, pickled, storages))


def stored(part: Any, storages: dict[str, bytes]) -> Any:
    """A value whose arrays became tensors; their bytes are put into the storages."""
    if isinstance(part, np.ndarray):
        storages[str(len(storages))] = part.tobytes()
        return tensor(str(len(storages) - 1), str(part.dtype), part.shape)
    if isinstance(part, dict):
        return {key: stored(child, storages) for key, child in part.items()}
    return [stored(child, storages) for child in part] if isinstance(part, list) else part


ONE, TWO, THREE = weights(), weights(10), weights(20)
MINE = {"a.weight", "a.bias"}
WRAPPERS: dict[str, tuple[dict[str, Any], set[str], str]] = {
    "none": (ONE, MINE, ""),
    "state_dict": ({"state_dict": ONE, "epoch": 3}, MINE, ""),
    "two deep": ({"model": {"state_dict": ONE}, "args": {"lr": 0.1}}, MINE, ""),
    "model_state_dict and optimizer": (
        {"optimizer_state_dict": {"state": [TWO]}, "model_state_dict": ONE},
        MINE,
        "note",
    ),
    "model and its averages": ({"model_ema": TWO, "model": ONE}, MINE, "note"),
    "averages alone": ({"params_ema": ONE}, MINE, ""),
    "weights, averages alone beside an optimizer": (
        {"ema": ONE, "optimizer": {"x": np.ones(1, "f4")}},
        MINE,
        "note",
    ),
    "teacher and student": ({"student": TWO, "teacher": ONE}, MINE, "warning"),
    "a whole one and another": ({"criterion": TWO, "state_dict": ONE}, MINE, "warning"),
    "prefixes": ({"module." + n: a for n, a in ONE.items()}, {"module.a.weight", "module.a.bias"}, ""),
    "several models": ({"G": ONE, "D": TWO}, {"G.a.weight", "G.a.bias", "D.a.weight", "D.a.bias"}, ""),
    "a model and a head": (
        {"model": ONE, "head": TWO},
        {"model.a.weight", "model.a.bias", "head.a.weight", "head.a.bias"},
        "",
    ),
    "nested": ({"a": {"weight": ONE["a.weight"], "bias": ONE["a.bias"]}}, MINE, ""),
    "averages in a scope": ({"model_ema.b": np.ones(2, "f4"), **ONE}, MINE, "note"),
    "a layer called avg": ({"avg_pool.weight": np.ones((2, 2), "f4"), **ONE}, {"avg_pool.weight", *MINE}, ""),
    "layers that look like state": (
        {"optimus.weight": np.ones((2, 2), "f4"), "lr.weight": np.ones((2, 2), "f4")},
        {"optimus.weight", "lr.weight"},
        "",
    ),
    "one name twice": ({"a.b": np.ones(2, "f4"), "a": {"b": np.ones(2, "f4")}}, {"a.b", "a.b#2"}, ""),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers(tmp_path: Path, name: str) -> None:
    value, expected, severity = WRAPPERS[name]
    graph = saved(tmp_path / "m.pt", value)
    assert {t.name for t in graph.tensors} == expected
    assert [(f.code, f.severity) for f in graph.findings] == [("WB108", severity)] * bool(severity)
    if expected == MINE and "averages in" not in name:
        assert {t.name: t.load().tolist() for t in graph.tensors} == {n: a.tolist() for n, a in ONE.items()}


def test_every_tensor_is_a_weight_or_explained(tmp_path: Path) -> None:
    graph = saved(
        tmp_path / "m.pt",
        {"model": ONE, "ema": TWO, "optimizer": {"state": [THREE]}, "loss": np.ones((), "f4")},
    )
    assert {e.name for e in graph.excluded} == {
        "ema.a.weight",
        "ema.a.bias",
        "optimizer.state.0.a.weight",
        "optimizer.state.0.a.bias",
        "loss",
    }


def test_lists_and_bare_tensors(tmp_path: Path) -> None:
    graph = formats.read(
        zip_file(
            tmp_path / "l.pt",
            [tensor("0", "float32", (2,)), (tensor("0", "float32", (1,), offset=1, elements=2),)],
            {"0": bytes(8)},
        )
    )
    assert {t.name for t in graph.tensors} == {"0", "1.0"}
    graph = formats.read(zip_file(tmp_path / "b.pt", tensor("0", "float32", (2,)), {"0": bytes(8)}))
    assert [t.name for t in graph.tensors] == ["tensor"]


def test_a_checkpoint_as_a_target_is_written_as_safetensors(tmp_path: Path) -> None:
    value, storages = held(ONE)
    path = zip_file(tmp_path / "m.pt", {"state_dict": value}, storages)
    with template_of(path, tmp_path / "out.safetensors") as template:
        assert {t.name: t.load().tolist() for t in template.file.tensors} == {
            n: a.tolist() for n, a in ONE.items()
        }
    with pytest.raises(UsageError, match="torch-zip target"), template_of(path, tmp_path / "out.h5"):
        pass


METADATA = {
    "numpy scalar": Call(
        Named("numpy.core.multiarray.scalar"), (Call(Named("numpy.dtype"), ("f8", False, True)), "12345678")
    ),
    "namespace": Call(
        Named("argparse.Namespace"), (), {"lr": 0.1, "path": Call(Named("pathlib.PosixPath"), ("/", "tmp"))}
    ),
    "defaultdict": Call(Named("collections.defaultdict"), (Named("builtins.list"),)),
    "set": Call(Named("__builtin__.set"), ([1, 2],)),
    "device": Call(Named("torch.device"), ("cpu",)),
    "keys of any kind": {(1, (2, 3)): 1, 0.5: 2, None: 3, 1 << 70: 4},
}


@pytest.mark.parametrize("name", METADATA)
def test_settings_beside_the_weights_are_no_obstacle(tmp_path: Path, name: str) -> None:
    value, storages = held(ONE)
    graph = formats.read(
        zip_file(tmp_path / "m.pt", {"state_dict": value, "other": METADATA[name]}, storages)
    )
    assert ({t.name for t in graph.tensors}, graph.findings) == (MINE, ())


@pytest.mark.parametrize("name", ["zip", "legacy"])
def test_big_endian_numbers(tmp_path: Path, name: str) -> None:
    array = np.arange(6, dtype="f4").reshape(2, 3)
    value, data = {"w": tensor("0", "float32", (2, 3))}, array.astype(">f4").tobytes()
    path = tmp_path / "m.pt"
    if name == "zip":
        zip_file(path, value, {"0": data}, {"byteorder": b"big"})
    else:
        legacy_file(path, value, {"0": (6, data)}, SYSTEM | {"little_endian": False})
    assert formats.read(path).tensors[0].load().tolist() == array.tolist()


def test_deflated_members_are_unpacked(tmp_path: Path) -> None:
    value, storages = held(ONE)
    graph = formats.read(zip_file(tmp_path / "m.pt", value, storages, deflated=True))
    assert {t.name: t.load().tolist() for t in graph.tensors} == {n: a.tolist() for n, a in ONE.items()}


def test_views_of_legacy_storages(tmp_path: Path) -> None:
    """Files of PyTorch 0.x: a storage that is itself a part of another."""
    view = storage("0", "FloatStorage", 6, ("v", 2, 4))
    path = legacy_file(
        tmp_path / "m.pt", {"w": rebuilt(view, 1, (3,), (1,))}, {"0": (6, np.arange(6, dtype="f4").tobytes())}
    )
    assert formats.read(path).tensors[0].load().tolist() == [3, 4, 5]


def codes(graph: LayerGraph) -> list[tuple[str, str]]:
    def place(found: Finding) -> str:
        return found.source or found.target

    return [(f.code, place(f)) for f in graph.findings]


def test_tensors_that_are_not_supported_are_left_out_and_said(tmp_path: Path) -> None:
    sparse = Call(Named("torch._utils._rebuild_sparse_tensor"), ((),))
    value = {"w": tensor("0", "float32", (2,)), "s": sparse, "c": tensor("1", "complex64", (2,))}
    graph = formats.read(zip_file(tmp_path / "m.pt", value, {"0": bytes(8), "1": bytes(16)}))
    assert [t.name for t in graph.tensors] == ["w"]
    assert codes(graph) == [("WB107", "s"), ("WB107", "c")]
    assert {e.name for e in graph.excluded} == {"s", "c"}


def test_numpy_arrays_among_the_tensors_are_said(tmp_path: Path) -> None:
    array = Call(Named("numpy.core.multiarray._reconstruct"), (Named("numpy.ndarray"), (0,), "b"))
    graph = formats.read(
        zip_file(tmp_path / "m.pt", {"w": tensor("0", "float32", (2,)), "mean": array}, {"0": bytes(8)})
    )
    assert [(f.code, f.severity, f.source) for f in graph.findings] == [("WB108", "warning", "mean")]


def test_a_file_without_tensors(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no tensor"):
        formats.read(zip_file(tmp_path / "m.pt", {"epoch": 3}, {}))


def test_bytes_that_are_gone_when_they_are_wanted(tmp_path: Path) -> None:
    value, storages = held(ONE)
    graph = formats.read(zip_file(tmp_path / "m.pt", value, storages))
    (tmp_path / "m.pt").unlink()
    with pytest.raises(MissingFile, match=r"m\.pt"):
        graph.tensors[0].load()


def test_a_pickle_is_written_as_torch_writes_it() -> None:
    """The hand-written writer against Python's own reader, for what needs no torch."""
    import pickle

    value = {"a": [1, -2, 1 << 70, True, None, 0.5, ("x", ())], "b": {"c": ""}}
    assert pickle.loads(dumps(value)) == value


REAL = [
    ("P01_ultraface_slim/models/pretrained/version-slim-320.pth", "torch-legacy", 159, 25, 264732),
    ("P07_burn_mnist/mnist.pt", "torch-zip", 18, 2, 376938),
    ("P10_keras3_pack/model.pth", "torch-zip", 8, 0, 21840),
]


@pytest.mark.parametrize(
    ("name", "format", "tensors", "excluded", "parameters"), REAL, ids=[Path(r[0]).name for r in REAL]
)
def test_real_files(
    shared_models: Path, name: str, format: str, tensors: int, excluded: int, parameters: int
) -> None:
    graph = formats.read(shared_models / name)
    assert (graph.format, len(graph.tensors), len(graph.excluded), graph.findings) == (
        format,
        tensors,
        excluded,
        (),
    )
    assert graph.parameters == parameters
    assert all(np.isfinite(t.load()).all() and t.load().shape == t.shape for t in graph.tensors)


def test_a_checkpoint_and_the_safetensors_of_the_same_network(shared_models: Path) -> None:
    checkpoint, twin = (
        formats.read(shared_models / f"P07_burn_mnist/mnist{s}") for s in (".pt", ".safetensors")
    )
    assert {t.name: t.shape for t in checkpoint.tensors}.keys() == {t.name for t in twin.tensors}
    assert {x.name: x.op for x in checkpoint.layers} == {x.name: x.op for x in twin.layers}
