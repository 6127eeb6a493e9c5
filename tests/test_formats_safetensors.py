"""safetensors: layers from names and shapes, exact bytes in and out, and headers that lie."""

import json
import random
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from weightbridge import formats
from weightbridge.errors import Corrupt, ModelError, OutputError, ResourceBomb, Unsupported
from weightbridge.formats.safetensors.file import write_new
from weightbridge.formats.safetensors.header import HEADER_LIMIT
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor

Shapes = Mapping[str, tuple[int, ...]]


def arrays(shapes: Shapes, dtype: str = "float32") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def read(tmp_path: Path, shapes: Shapes) -> LayerGraph:
    save_file(arrays(shapes), tmp_path / "m.safetensors", {"format": "pt"})
    return formats.read(tmp_path / "m.safetensors")


def raw(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


SCOPES: dict[str, tuple[Shapes, dict[str, tuple[str, list[str]]]]] = {
    "torch": (
        {
            "features.0.weight": (8, 3, 3, 3),
            "features.1.weight": (8,),
            "features.1.bias": (8,),
            "features.1.running_mean": (8,),
            "features.1.running_var": (8,),
            "features.2.weight": (8, 1, 3, 3),
            "features.10.weight": (4, 8),
            "features.10.bias": (4,),
        },
        {
            "features.0": ("Conv", ["kernel"]),
            "features.1": ("BatchNorm", ["gamma", "beta", "moving_mean", "moving_variance"]),
            "features.2": ("DepthwiseConv", ["kernel"]),
            "features.10": ("Dense", ["kernel", "bias"]),
        },
    ),
    "one input channel is not depthwise": ({"c.weight": (8, 1, 3, 3)}, {"c": ("Conv", ["kernel"])}),
    "norms": (
        {"ln.weight": (4,), "ln.bias": (4,), "rms.weight": (4,)},
        {"ln": ("LayerNorm", ["gamma", "beta"]), "rms": ("RMSNorm", ["gamma"])},
    ),
    "embeddings": ({"tok_embed.weight": (9, 4)}, {"tok_embed": ("Embedding", ["embeddings"])}),
    "recurrent": (
        {
            "r.weight_ih_l0": (20, 3),
            "r.weight_hh_l0": (20, 5),
            "r.bias_ih_l0": (20,),
            "r.bias_hh_l0": (20,),
            "r.weight_ih_l0_reverse": (20, 3),
            "r.weight_hh_l0_reverse": (20, 5),
            "g.weight_ih_l0": (15, 3),
            "g.weight_hh_l0": (15, 5),
        },
        {
            "g.l0": ("GRU", ["kernel", "recurrent_kernel"]),
            "r.l0": ("LSTM", ["kernel", "recurrent_kernel", "bias", "recurrent_bias"]),
            "r.l0_reverse": ("LSTM", ["kernel", "recurrent_kernel"]),
        },
    ),
    "keras": (
        {"conv/kernel": (3, 3, 2, 4), "conv/bias": (4,), "fc/kernel": (4, 2)},
        {"conv": ("Conv", ["kernel", "bias"]), "fc": ("Dense", ["kernel"])},
    ),
    "loose parameters": (
        {"cls_token": (1, 1, 4), "blk.scale": (4,)},
        {"blk": ("Opaque", ["scale"]), "cls_token": ("Opaque", ["cls_token"])},
    ),
}


@pytest.mark.parametrize("name", SCOPES)
def test_layers(tmp_path: Path, name: str) -> None:
    shapes, expected = SCOPES[name]
    graph = read(tmp_path, shapes)
    assert {x.name: (x.op, [t.role for t in x.tensors]) for x in graph.layers} == expected
    assert [x.name for x in graph.layers] == list(expected)
    assert graph.framework == ("keras" if name == "keras" else "torch")
    assert not graph.has_flow


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (
            {"a.weight": (3, 4), "a.bias": (3,), "b.weight": (4, 4), "b.bias": (4,)},
            {"a": (True, 3), "b": (True, 4)},
        ),
        (
            {"a.weight": (3, 4), "a.bias": (4,), "b.weight": (4, 4), "b.bias": (4,)},
            {"a": (False, 4), "b": (False, 4)},
        ),
        ({"b.weight": (4, 4)}, {"b": (True, 4)}),
    ],
    ids=["as Linear", "the other way round", "no telling"],
)
def test_which_axis_of_a_matrix_is_the_output(
    tmp_path: Path, shapes: Shapes, expected: dict[str, tuple[bool, int]]
) -> None:
    found = {
        x.name: (x.attributes["transposed"], x.attributes["units"]) for x in read(tmp_path, shapes).layers
    }
    assert found == expected


def test_counters_are_no_weights(tmp_path: Path) -> None:
    values = {
        "bn.running_mean": np.ones(2, np.float32),
        "bn.num_batches_tracked": np.array(7),
        "ids": np.arange(3),
    }
    save_file(values, tmp_path / "m.safetensors")
    graph = formats.read(tmp_path / "m.safetensors")
    assert [t.name for t in graph.tensors] == ["bn.running_mean"]
    assert {(e.name, e.reason) for e in graph.excluded} == {
        ("bn.num_batches_tracked", "state"),
        ("ids", "state"),
    }


DTYPES = [
    "float32",
    "float16",
    "float64",
    "int8",
    "uint8",
    "int32",
    "bfloat16",
    "float8_e4m3fn",
    "float8_e5m2",
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_survive_reading_and_writing(tmp_path: Path, dtype: str) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    array = (np.arange(12).reshape(3, 4) / 4).astype(kind)
    tensor = Tensor("a.weight", "kernel", array.shape, dtype, "a.weight", lambda: array)
    write_new(tmp_path / "m.safetensors", [tensor], {"format": "pt"})
    graph = formats.read(tmp_path / "m.safetensors")
    assert graph.producer == "PyTorch"
    found = graph.tensors[0].load()
    assert (found.dtype, found.tobytes()) == (kind, array.tobytes())


def test_the_reference_reads_what_is_written(tmp_path: Path) -> None:
    values = arrays({"b.weight": (4, 3), "a.bias": (5,), "empty": (0, 3), "scalar": ()})
    tensors = [Tensor(n, "", a.shape, "float32", n, lambda a=a: a) for n, a in values.items()]  # type: ignore[misc]
    write_new(tmp_path / "n.safetensors", tensors)
    found = load_file(tmp_path / "n.safetensors")
    assert found.keys() == values.keys()
    assert all(np.array_equal(found[n], values[n]) and found[n].shape == values[n].shape for n in values)


def test_a_copy_with_other_values(tmp_path: Path) -> None:
    values = arrays({"b.weight": (4, 3), "a.bias": (5,), "c.weight": (2, 2)})
    save_file(values, tmp_path / "m.safetensors", {"note": "kept"})
    template = formats.read(tmp_path / "m.safetensors")
    chosen = [t for t in template.tensors if t.name != "c.weight"]
    formats.write(template, tmp_path / "n.safetensors", ((t, t.load() * 2) for t in reversed(chosen)))
    found = load_file(tmp_path / "n.safetensors")
    assert all(np.array_equal(found[n], a * (1 if n == "c.weight" else 2)) for n, a in values.items())
    header = (tmp_path / "m.safetensors").read_bytes()[:64]
    assert (tmp_path / "n.safetensors").read_bytes()[:64] == header


def test_what_cannot_be_written(tmp_path: Path) -> None:
    tensor = Tensor("a", "", (2,), "complex128", "a", lambda: np.zeros(2, np.complex128))
    with pytest.raises(Unsupported, match="complex128"):
        write_new(tmp_path / "n.safetensors", [tensor])
    with pytest.raises(OutputError, match=r"n\.safetensors"):
        write_new(tmp_path / "absent" / "n.safetensors", [])


LIES: dict[str, tuple[Any, bytes, int | None, type[ModelError], str]] = {
    "longer than the file": ({}, b"", 1 << 20, Corrupt, "header of 1048576 bytes"),
    "longer than allowed": ({}, b"", HEADER_LIMIT + 1, ResourceBomb, "header"),
    "no JSON": (b'{"a": ', b"", None, Corrupt, "JSON"),
    "deep": (b'{"a":' * 100000, b"", None, Corrupt, "JSON"),
    "a key twice": (
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b"1",
        None,
        Corrupt,
        "'a'",
    ),
    "a bomb": ({"a": entry("F32", [1 << 40], 0, 1 << 42)}, b"", None, ResourceBomb, "a: declares"),
    "empty and huge": (
        {"a": entry("F32", [0, 1 << 62, 1 << 62], 0, 0)},
        b"",
        None,
        ResourceBomb,
        "a: declares",
    ),
    "too short": ({"a": entry("F32", [2], 0, 8)}, b"1234", None, Corrupt, "a: its data ends"),
    "too long": ({"a": entry("F32", [1], 0, 4)}, b"12345678", None, Corrupt, "4 bytes behind"),
    "a gap": ({"a": entry("U8", [1], 1, 2)}, b"12", None, Corrupt, "gap"),
    "an overlap": (
        {"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)},
        b"123",
        None,
        Corrupt,
        "b: .*overlaps",
    ),
    "another size": ({"a": entry("F32", [2], 0, 4)}, b"1234", None, Corrupt, "needs 8"),
    "unknown dtype": ({"a": entry("F99", [1], 0, 4)}, b"1234", None, Corrupt, "F99"),
    "negative": ({"a": entry("F32", [-1], 0, 4)}, b"1234", None, Corrupt, "sizes"),
    "a fraction": ({"a": entry("F32", [1.5], 0, 4)}, b"1234", None, Corrupt, "sizes"),  # type: ignore[list-item]
    "a list": (b'{"a": [1, 2, 3]}', b"", None, Corrupt, "a: a tensor needs"),
    "metadata": ({"__metadata__": {"a": 1}}, b"", None, Corrupt, "__metadata__"),
}


@pytest.mark.parametrize("name", LIES)
def test_headers_that_lie(tmp_path: Path, name: str) -> None:
    header, data, length, error, text = LIES[name]
    path = raw(tmp_path / "m.safetensors", header, data, length)
    with pytest.raises(error, match=text) as caught:
        formats.read(path)
    assert "m.safetensors" in str(caught.value)
    assert caught.value.fix


def test_six_bit_weights_are_listed_and_not_loaded(tmp_path: Path) -> None:
    graph = formats.read(raw(tmp_path / "m.safetensors", {"a": entry("F4", [4], 0, 2)}, b"12"))
    with pytest.raises(Unsupported, match="float4"):
        graph.tensors[0].load()


def test_damage(tmp_path: Path) -> None:
    save_file(arrays({"a.weight": (3, 4), "a.bias": (3,)}), tmp_path / "m.safetensors")
    data = (tmp_path / "m.safetensors").read_bytes()
    path = tmp_path / "d.safetensors"
    rng = random.Random(0)
    outcomes = set()
    for i in range(400):
        path.write_bytes(damaged(data, rng, is_cut=bool(i % 2)))
        outcomes.add(outcome(path))
    assert not [f for f in outcomes if "nameless" in f]
    assert outcomes >= {"read", "Corrupt"}


def damaged(data: bytes, rng: random.Random, *, is_cut: bool) -> bytes:
    """The data with one bit turned over, perhaps cut off before."""
    broken = bytearray(data[: rng.randrange(len(data))] if is_cut else data)
    if broken:
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def outcome(path: Path) -> str:
    """`read`, or the error, which must name the file."""
    try:
        for tensor in formats.read(path).tensors:
            tensor.load()
    except ModelError as error:
        return type(error).__name__ if path.name in str(error) else f"nameless: {error}"
    return "read"


def test_the_real_one(shared_models: Path) -> None:
    path = shared_models / "P07_burn_mnist/mnist.safetensors"
    graph, stored = formats.read(path), load_file(path)
    assert (len(graph.layers), graph.parameters) == (7, 376938)
    assert all(np.array_equal(t.load(), stored[t.name]) for t in graph.tensors)


SLASHES: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, tuple[str, list[str]]]]] = {
    "norm and dense": (
        {"net/0/ln/gamma": (4,), "net/0/ln/beta": (4,), "net/0/fc/w": (4, 8), "net/0/ff/w": (8, 4)},
        {
            "net/0/fc": ("Opaque", ["w"]),
            "net/0/ff": ("Opaque", ["w"]),
            "net/0/ln": ("LayerNorm", ["gamma", "beta"]),
        },
    ),
    "flax": (
        {
            "params/Dense_0/kernel": (4, 8),
            "params/Dense_0/bias": (8,),
            "params/bn/scale": (8,),
            "params/bn/bias": (8,),
            "batch_stats/bn/mean": (8,),
            "batch_stats/bn/var": (8,),
            "params/embed/embedding": (9, 4),
        },
        {
            "Dense_0": ("Dense", ["kernel", "bias"]),
            "bn": ("BatchNorm", ["gamma", "beta", "moving_mean", "moving_variance"]),
            "embed": ("Embedding", ["embeddings"]),
        },
    ),
    "flax with dots": (
        {"a.query.kernel": (4, 8), "a.query.bias": (8,), "a.LayerNorm.scale": (4,), "a.LayerNorm.bias": (4,)},
        {"a.query": ("Dense", ["kernel", "bias"]), "a.LayerNorm": ("LayerNorm", ["gamma", "beta"])},
    ),
    "no separators": (
        {"conv1_weight": (4, 3, 3, 3), "conv1_bias": (4,), "w2": (5, 4)},
        {"conv1": ("Conv", ["kernel", "bias"]), "w2": ("Opaque", ["w2"])},
    ),
}


@pytest.mark.parametrize("name", SLASHES)
def test_layers_of_names_with_other_separators(tmp_path: Path, name: str) -> None:
    shapes, layers = SLASHES[name]
    path = tmp_path / "m.safetensors"
    save_file({key: np.zeros(shape, "f4") for key, shape in shapes.items()}, path)
    graph = formats.read(path)
    assert {layer.name: (layer.op, [t.role for t in layer.tensors]) for layer in graph.layers} == layers
