"""ONNX files that are broken or mean harm.

One of our errors or a valid graph, quickly, with little memory, nothing outside touched.
"""

import os
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_samples import model, small, values
from test_formats_onnx_write import external

from weightbridge import formats
from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ModelError, ResourceBomb

ROWS = {"x": ["n", 4]}


def outcome(path: Path) -> str:
    """The name of the error, or `read`; anything else escapes.

    An error that does not name the file, or has no code, is told apart.
    """
    try:
        for tensor in formats.read(path).tensors:
            tensor.load()
    except ModelError as error:
        return type(error).__name__ if error.code and path.name in str(error) else f"nameless: {error}"
    return "read"


def damaged(data: bytes, seed: int) -> bytes:
    """Cut off, some bits flipped, a run of ones (long lengths), or a piece doubled."""
    rng, found = random.Random(seed), bytearray(data)
    place = rng.randrange(len(found))
    match seed % 4:
        case 0:
            return bytes(found[:place])
        case 1:
            for _ in range(3):
                found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
        case 2:
            found[place : place + 4] = b"\xff" * rng.randrange(1, 9)
        case 3:
            found[place:place] = found[place : place + rng.randrange(1, 40)]
    return bytes(found)


def test_damage(tmp_path: Path) -> None:
    data, path = small(tmp_path / "m.onnx").read_bytes(), tmp_path / "broken.onnx"
    start = time.monotonic()
    tracemalloc.start()
    found = set()
    for seed in range(400):
        path.write_bytes(damaged(data, seed))
        found.add(outcome(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found >= {"read", "Corrupt"}
    assert found <= {"read", "Corrupt", "ResourceBomb", "ExternalReference", "MissingFile", "Unsupported"}
    assert time.monotonic() - start < 60
    assert peak < 50 << 20


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncation_is_told(tmp_path: Path, share: float) -> None:
    data = small(tmp_path / "m.onnx").read_bytes()
    (tmp_path / "t.onnx").write_bytes(data[: int(len(data) * share)])
    assert outcome(tmp_path / "t.onnx") == "Corrupt"


def bomb(path: Path) -> None:
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {}, ROWS, ["y"])
    proto.graph.initializer.add(
        name="w", data_type=TensorProto.FLOAT, dims=[1 << 40, 1 << 20], raw_data=b"1234"
    )
    path.write_bytes(proto.SerializeToString())


def short(path: Path) -> None:
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {}, ROWS, ["y"])
    proto.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], raw_data=b"1234")
    path.write_bytes(proto.SerializeToString())


def unknown_type(path: Path) -> None:
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {}, ROWS, ["y"])
    proto.graph.initializer.add(name="w", data_type=99, dims=[1], raw_data=b"1234")
    path.write_bytes(proto.SerializeToString())


def empty_and_huge(path: Path) -> None:
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {}, ROWS, ["y"])
    proto.graph.initializer.add(
        name="w", data_type=TensorProto.FLOAT, dims=[0, 1 << 62, 1 << 62], raw_data=b""
    )
    path.write_bytes(proto.SerializeToString())


def cyclic(path: Path) -> None:
    path.write_bytes(
        model([("Relu", ["b"], ["a"], {}), ("Relu", ["a"], ["b"], {})], {}, ROWS, ["b"]).SerializeToString()
    )


def dangling(path: Path) -> None:
    path.write_bytes(model([("Relu", ["nobody"], ["a"], {})], {}, ROWS, ["a"]).SerializeToString())


def twice(path: Path) -> None:
    path.write_bytes(
        model([("Relu", ["x"], ["a"], {}), ("Tanh", ["x"], ["a"], {})], {}, ROWS, ["a"]).SerializeToString()
    )


def negative(path: Path) -> None:
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {}, ROWS, ["y"])
    proto.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[-1, 4], raw_data=b"")
    path.write_bytes(proto.SerializeToString())


def deep(path: Path) -> None:
    graph = helper.make_graph([], "leaf", [], [])
    for _ in range(32):
        graph = helper.make_graph([helper.make_node("If", ["c"], ["o"], then_branch=graph)], "g", [], [])
    path.write_bytes(helper.make_model(graph).SerializeToString())


def two_graphs(path: Path) -> None:
    data = small(path).read_bytes()
    path.write_bytes(data + data)


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (bomb, ResourceBomb, "w: declares"),
        (empty_and_huge, ResourceBomb, "w: declares"),
        (short, Corrupt, "holds 4 bytes, its shape .* needs 64"),
        (unknown_type, Corrupt, "element type 99"),
        (cyclic, Corrupt, "cyclic"),
        (dangling, Corrupt, "'nobody', which nothing makes"),
        (twice, Corrupt, "'a' is made twice"),
        (negative, Corrupt, "shape"),
        (deep, ResourceBomb, "deep"),
        (two_graphs, Corrupt, "2 graphs"),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_what_is_wrong_is_said(
    tmp_path: Path, build: Callable[[Path], None], error: type[ModelError], text: str
) -> None:
    build(tmp_path / "m.onnx")
    with pytest.raises(error, match=text) as caught:
        formats.read(tmp_path / "m.onnx")
    assert "m.onnx" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    "place",
    ["../weights.bin", "/etc/passwd", "a/../../weights.bin", "C:\\weights.bin", "..\\weights.bin", ""],
)
def test_data_outside_the_folder_is_not_touched(tmp_path: Path, place: str) -> None:
    (tmp_path / "in").mkdir()
    path = external(tmp_path / "in" / "m.onnx")
    proto = onnx.load(path, load_external_data=False)
    next(e for t in proto.graph.initializer for e in t.external_data if e.key == "location").value = place
    path.write_bytes(proto.SerializeToString())
    (tmp_path / "weights.bin").write_bytes(values((20,)).tobytes())
    with pytest.raises(ExternalReference, match="w: its data is said to be in") as caught:
        formats.read(path)
    assert caught.value.code == "WB902"


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = external(tmp_path / "m.onnx")
    (tmp_path / "weights.bin").rename(tmp_path / "real.bin")
    os.symlink(tmp_path / "real.bin", tmp_path / "weights.bin")
    with pytest.raises(ExternalReference, match="link"):
        formats.read(path)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("offset", "40", Corrupt),
        ("length", "60", Corrupt),
        ("offset", "-1", Corrupt),
        ("offset", "many", Corrupt),
        ("location", "gone", MissingFile),
    ],
)
def test_external_data_that_does_not_fit(
    tmp_path: Path, key: str, value: str, error: type[ModelError]
) -> None:
    path = external(tmp_path / "m.onnx")
    proto = onnx.load(path, load_external_data=False)
    next(e for t in proto.graph.initializer for e in t.external_data if e.key == key).value = value
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(error):
        formats.read(path)


def test_external_data_in_the_folder_is_read(tmp_path: Path) -> None:
    loaded = {t.name: t.load() for t in formats.read(external(tmp_path / "m.onnx")).tensors}
    assert loaded["w"].tobytes() == values((4, 4), 1).tobytes()


def test_a_large_file_is_read_as_fast_as_a_small_one(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {}, ROWS, ["y"])
    proto.graph.initializer.add(
        name="w", data_type=TensorProto.FLOAT, dims=[4, 16 << 20], raw_data=bytes(256 << 20)
    )
    path.write_bytes(proto.SerializeToString())
    del proto
    tracemalloc.start()
    assert formats.read(path).parameters == 64 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    path.unlink()
    assert peak < 4 << 20
