"""Ledgers of files: every array that a file holds is a layer's, left out with a reason, or a finding.

The count starts from the file, by readers other than ours: h5py, safetensors' own header, TensorFlow.
"""

import io
import json
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy, write_weights
from safetensors.numpy import save_file
from torch_files import Call, Named, tensor, zip_file

from weightbridge import formats
from weightbridge.model.graph import LayerGraph

STRAY = np.ones((5, 5), "f4")
WEIGHTS = {
    "a": {"a/kernel": numbers(4, 3), "a/bias": numbers(3)},
    "b": {"b/kernel": numbers(3, 2), "b/bias": numbers(2)},
}
GROUPS = {
    "layers/dense": ("a", (numbers(4, 3), numbers(3))),
    "layers/dense_1": ("b", (numbers(3, 2), numbers(2))),
}
CONFIG = sequential(source("x", [4]), layer("Dense", "a", units=3), layer("Dense", "b", units=2))
Edit = Callable[[h5py.File], Any]


def in_ledger(graph: LayerGraph) -> Counter[int]:
    """The sizes of all arrays that a graph speaks of."""
    sizes = [tensor.size for tensor in graph.tensors] + [entry.size for entry in graph.excluded]
    return Counter(sizes)


def in_hdf5(file: h5py.File) -> Iterator[int]:
    sizes: list[int] = []
    file.visititems(lambda _, at: sizes.append(prod(at.shape)) if isinstance(at, h5py.Dataset) else None)
    yield from sizes


def in_zip(path: Path) -> Counter[int]:
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        return Counter(in_hdf5(file))


def listed_too(file: h5py.File) -> None:
    """A layer that `layer_names` has and the configuration has not."""
    group = file.get("model_weights", file)
    inner = group.create_group("ghost")
    inner.create_dataset("ghost/kernel", data=STRAY)
    inner.attrs["weight_names"] = np.array([b"ghost/kernel"])
    group.attrs["layer_names"] = np.array([*group.attrs["layer_names"], b"ghost"])


def put(path: str) -> Edit:
    return lambda file: file.create_dataset(path, data=STRAY)


def below(path: str) -> Edit:
    """Among the layers' groups."""
    return lambda file: file.get("model_weights", file).create_dataset(path, data=STRAY)


LEGACY: dict[str, Edit] = {
    "nothing more": lambda _: None,
    "at the root": put("stray"),
    "in a group of its own": put("other/stray"),
    "in a group that no layer has": below("ghost/ghost/kernel"),
    "in a layer's group, not listed": below("a/a/extra"),
    "a layer that is listed": listed_too,
    "the optimizer's": put("optimizer_weights/adam/m"),
}


@pytest.mark.parametrize("edit", LEGACY)
@pytest.mark.parametrize("has_config", [True, False], ids=["model", "weights"])
def test_legacy_h5(tmp_path: Path, edit: str, has_config: bool) -> None:
    path = write_legacy(tmp_path / "m.h5", WEIGHTS, CONFIG if has_config else None)
    with h5py.File(path, "r+") as file:
        LEGACY[edit](file)
        held = Counter(in_hdf5(file))
    graph = formats.read(path)
    assert in_ledger(graph) == held
    is_said = any(f.code == "WB108" for f in graph.findings)
    lost = [e.name for e in graph.excluded if e.reason == "state"]
    assert is_said == bool(lost)


MODERN: dict[str, Edit] = {
    "nothing more": lambda _: None,
    "at the root": put("stray"),
    "in a group without variables": put("odd/thing"),
    "in a group with variables": put("odd/vars/0"),
    "a third variable": put("layers/dense/vars/2"),
    "a variable behind a gap": put("layers/dense/vars/5"),
    "a variable without a number": put("layers/dense/vars/extra"),
    "below the variables": put("layers/dense/vars/deep/0"),
    "beside the variables": put("layers/dense/beside"),
    "a layer that the config has not": put("layers/dense_7/vars/0"),
    "a layer in a layer": put("layers/dense/inner/vars/0"),
    "the optimizer's": put("optimizer/vars/0"),
    "a metric's": put("metrics/0/vars/0"),
    "a seed generator's": put("layers/dropout/seed_generator/vars/0"),
}
SAID = {"at the root", "in a group without variables", "below the variables", "beside the variables"}


@pytest.mark.parametrize("edit", MODERN)
@pytest.mark.parametrize("whole", [True, False], ids=["model", "weights"])
def test_modern_h5(tmp_path: Path, edit: str, whole: bool) -> None:
    path = tmp_path / ("m.keras" if whole else "m.weights.h5")
    if whole:
        write_keras(path, CONFIG, GROUPS)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            MODERN[edit](file)
        members["model.weights.h5"] = content.getvalue()
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        held = in_zip(path)
    else:
        write_weights(path, GROUPS)
        with h5py.File(path, "r+") as file:
            MODERN[edit](file)
            held = Counter(in_hdf5(file))
    graph = formats.read(path)
    assert in_ledger(graph) == held
    assert any(f.code == "WB108" for f in graph.findings) == (edit in SAID)


def test_safetensors(tmp_path: Path) -> None:
    kinds = {
        "w": numbers(3, 3), "": numbers(2), "scalar": np.float32(1), "none": np.zeros((0, 4), "f4"),
        "integers": np.ones((3, 7), "i8"), "truths": np.ones(5, "?"), "bytes": np.ones((2, 2), "u1"),
        "half": np.ones(11, "f2"), "opt.exp_avg": numbers(13), "model_ema.w": numbers(3, 3), "n": np.int64(3),
    }  # fmt: skip
    path = tmp_path / "m.safetensors"
    save_file({name: np.asarray(array) for name, array in kinds.items()}, path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    held = Counter(prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    assert in_ledger(formats.read(path)) == held


MORE = tensor("1", "float32", (5, 5))
KEYS: dict[str, dict[Any, Any]] = {
    "a number": {7: MORE},
    "none": {None: MORE},
    "a pair": {("a", "b"): MORE},
    "nothing": {"": MORE},
    "a truth": {True: MORE},
    "in lists": {"c": {"d": [MORE, (MORE,)]}},
    "an optimizer's": {"optimizer": {"state": {0: {"exp_avg": MORE}}}},
    "an average": {"ema": {"w": MORE}},
    "a sparse one": {"s": Call(Named("torch._utils._rebuild_sparse_tensor"), ())},
    "a numpy array": {"n": Call(Named("numpy.core.multiarray._reconstruct"), ())},
    "a numpy array in a list": {"n": {"m": [Call(Named("numpy.core.multiarray._reconstruct"), ())]}},
}


@pytest.mark.parametrize("is_wrapped", [False, True], ids=["bare", "state_dict"])
@pytest.mark.parametrize("name", KEYS)
def test_torch(tmp_path: Path, name: str, is_wrapped: bool) -> None:
    """Under whatever key a tensor stands; what cannot be counted is a finding."""
    weights = {"a.weight": tensor("0", "float32", (2, 3))}
    more = KEYS[name]
    root: Any = {"state_dict": weights, **more} if is_wrapped else {**weights, **more}
    data = {"0": bytes(4 * 6), "1": bytes(4 * 25)}
    graph = formats.read(zip_file(tmp_path / "m.pt", root, data))
    count = json.dumps(str(more)).count("'1', 'cpu', 25") or str(more).count("'1'")
    if "numpy" in name or "sparse" in name:
        is_told = bool(graph.findings) or any(entry.name == "s" for entry in graph.excluded)
        assert is_told or is_wrapped  # beside a state dict an array is a setting
    else:
        assert in_ledger(graph) == Counter({6: 1, 25: count})


FIXTURES = Path(__file__).parents[1] / "fixtures" / "tensorflow"
STORED = sorted(path.with_suffix("") for path in FIXTURES.rglob("*.index"))


@pytest.mark.framework
@pytest.mark.parametrize("prefix", STORED, ids=lambda p: str(p.relative_to(FIXTURES)))
def test_tensorflow(prefix: Path) -> None:
    """Checkpoints, and SavedModels by their variables."""
    import tensorflow as tf

    is_saved_model = prefix.parent.name == "variables"
    graph = formats.read(prefix.parent.parent if is_saved_model else prefix)
    listed = {name: prod(shape) for name, shape in tf.train.list_variables(str(prefix))}
    listed.pop("_CHECKPOINTABLE_OBJECT_GRAPH", None)
    held = Counter(listed.values())
    assert not held - in_ledger(graph), "an array of the file is in no ledger"


@pytest.mark.framework
def test_constants_beside_variables(tmp_path: Path) -> None:
    """A SavedModel whose functions hold a matrix that is no variable: of a layer where its flow is read."""
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self, matrix: Any, turns: int) -> None:
            self.weight = tf.Variable(np.ones((3, 3), "f4"))
            self.matrix, self.turns = matrix, turns

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
        def call(self, x: Any) -> Any:
            if not self.turns:
                return tf.matmul(tf.matmul(x, self.weight), self.matrix)
            for _ in tf.range(self.turns):
                x = tf.matmul(x, self.weight)
            return tf.matmul(x, self.matrix)

    constant, variable = tf.constant(np.ones((3, 2), "f4")), tf.Variable(np.ones((3, 2), "f4"))
    for name, matrix, turns, said in (
        ("constant", constant, 0, []),
        ("variable", variable, 0, []),
        ("constant beside a loop", constant, 2, ["WB108"]),
    ):
        tf.saved_model.save(Module(matrix, turns), str(tmp_path / name))
        graph = formats.read(tmp_path / name)
        assert [finding.code for finding in graph.findings] == said, name
        assert in_ledger(graph)[6] == 1
