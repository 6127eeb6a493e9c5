"""TensorFlow's checkpoints: names, roles and values.

What is damaged or hostile is refused with its code.
"""

import json
import shutil
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow_files import (
    FIXTURES,
    block,
    checkpoint,
    entry,
    field,
    header,
    named,
    number,
    table,
    tracked,
    with_objects,
)

from weightbridge import formats
from weightbridge.errors import ModelError, OutputError
from weightbridge.formats.hashing import content_hash
from weightbridge.formats.tensorflow.bundle.crc32c import crc32c, masked_crc32c
from weightbridge.formats.tensorflow.bundle.snappy import decompress
from weightbridge.model.graph import LayerGraph

EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
NAMES, OBJECTS = FIXTURES / "tf1_names" / "model.ckpt-7.index", FIXTURES / "keras3_objects" / "m-1.index"
MOST_BYTES = 200 << 20


def sums(graph: LayerGraph) -> list[Any]:
    arrays = [t.load() for t in graph.tensors]
    return sorted([list(a.shape), round(float(np.sum(a, dtype="f8")), 6)] for a in arrays)


def expected(name: str) -> list[Any]:
    return sorted([shape, round(total, 6)] for shape, total in EXPECTED[name])


@pytest.mark.parametrize(
    ("path", "layers", "tensors", "parameters"),
    [
        (NAMES, 5, 10, 3301),
        (OBJECTS, 3, 8, 418),
        (FIXTURES / "keras2_nested/variables", 3, 8, 71),
        (FIXTURES / "keras2_recurrent/variables", 3, 9, 368),
    ],
    ids=["names", "objects of Keras 3", "objects of Keras 2", "recurrent"],
)
def test_checkpoints(path: Path, layers: int, tensors: int, parameters: int) -> None:
    graph = formats.read(path)
    assert (graph.format, graph.framework, graph.has_flow) == ("tf-checkpoint", "keras", False)
    assert (len(graph.layers), len(graph.tensors), graph.parameters) == (layers, tensors, parameters)
    assert sums(graph) == expected(path.parent.name)


@pytest.mark.parametrize(
    "name",
    ["", "checkpoint", "model.ckpt-7", "model.ckpt-7.index", "model.ckpt-7.data-00001-of-00002"],
    ids=["folder", "pointer", "prefix", "index", "data file"],
)
def test_every_way_to_name_a_checkpoint(name: str) -> None:
    graph = formats.read(NAMES.parent / name if name else NAMES.parent)
    assert (graph.format, len(graph.tensors)) == ("tf-checkpoint", 10)


ROLES = {
    "conv1/weights": ("Conv", "kernel", True),
    "conv1/biases": ("Conv", "bias", True),
    "conv1/BatchNorm/beta": ("BatchNorm", "beta", True),
    "conv1/BatchNorm/moving_mean": ("BatchNorm", "moving_mean", False),
    "dense/kernel": ("Dense", "kernel", True),
    "emb/word_embeddings": ("Embedding", "embeddings", True),
    "rnn/basic_lstm_cell/kernel": ("Opaque", "kernel", True),  # both kernels of the cell as one: no Dense
}


@pytest.mark.parametrize("name", ROLES)
def test_roles_of_names(name: str) -> None:
    graph = formats.read(NAMES)
    tensor = next(t for t in graph.tensors if t.name == name)
    assert (graph.owner[name].op, tensor.role, tensor.trainable) == ROLES[name]


def test_an_optimizer_and_counters_are_no_weights() -> None:
    found = {e.name: e.reason for e in formats.read(NAMES).excluded}
    assert (
        found["conv1/weights/Adam_1"]
        == found["beta1_power"]
        == found["emb/word_embeddings/Adam"]
        == "optimizer"
    )
    assert found["global_step"] == "state"
    found = {e.name: e.reason for e in formats.read(OBJECTS).excluded}
    assert (found["step"], found["save_counter"], found["opt/_iterations"]) == ("state", "state", "optimizer")


def test_an_average_is_no_weight_beside_its_variable_but_is_one_alone(tmp_path: Path) -> None:
    average = "a/weights/ExponentialMovingAverage"
    both = formats.read(named(tmp_path, {"a/weights": np.ones((2, 3)), average: np.ones((2, 3))}))
    assert ([t.name for t in both.tensors], both.excluded[0].reason) == (["a/weights"], "state")
    alone = formats.read(named(tmp_path, {average: np.ones((2, 3))}))
    assert [(t.name, t.role) for t in alone.tensors] == [(average, "kernel")]


@pytest.mark.parametrize(
    ("names", "roles", "op"),
    [
        (("c/depthwise_weights",), ["kernel"], "DepthwiseConv"),
        (
            ("c/depthwise_weights", "c/pointwise_weights"),
            ["depthwise_kernel", "pointwise_kernel"],
            "SeparableConv",
        ),
        (("attn/w", "attn/b"), ["kernel", "bias"], "Dense"),
        (("ln_1/b", "ln_1/g"), ["gamma", "beta"], "LayerNorm"),
        (
            ("bn/moving_mean", "bn/moving_variance", "bn/offset", "bn/scale"),
            ["gamma", "beta", "moving_mean", "moving_variance"],
            "BatchNorm",
        ),
    ],
    ids=["depthwise", "separable", "short names", "short names of a norm", "scale and offset"],
)
def test_older_names(tmp_path: Path, names: tuple[str, ...], roles: list[str], op: str) -> None:
    shapes = {"depthwise_weights": (3, 3, 4, 1), "pointwise_weights": (1, 1, 4, 5), "w": (4, 5), "b": (5,)}
    (layer,) = formats.read(
        named(tmp_path, {n: np.ones(shapes.get(n.rsplit("/", 1)[-1], (5,))) for n in names})
    ).layers
    assert ([t.role for t in layer.tensors], layer.op) == (roles, op)


def test_the_hash_covers_every_file(tmp_path: Path) -> None:
    place = tmp_path / "copy"
    shutil.copytree(NAMES.parent, place)
    first = content_hash(formats.read(place / "model.ckpt-7"))
    assert first == content_hash(formats.read(place / "model.ckpt-7"))
    data = place / "model.ckpt-7.data-00001-of-00002"
    data.write_bytes(data.read_bytes()[:-1] + b"?")
    assert content_hash(formats.read(place / "model.ckpt-7")) != first


def test_a_changed_byte_is_noticed_when_it_is_loaded(tmp_path: Path) -> None:
    path = named(tmp_path, {"a/kernel": np.ones((2, 3))})
    data = tmp_path / "m.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"\x40")
    with pytest.raises(ModelError, match="checksum") as caught:
        formats.read(path).tensors[0].load()
    assert caught.value.code == "WB904"


def test_checkpoints_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="read only"):
        formats.write(formats.read(NAMES), tmp_path / "out", ())


RAW = np.ones((2, 3), "<f4").tobytes()
KERNEL = (b"a/kernel", entry((2, 3), 0, 24, crc=masked_crc32c(RAW)))
LITERAL = block([header(), KERNEL])
SNAPPY = number(len(LITERAL)) + b"\xf4" + (len(LITERAL) - 1).to_bytes(2, "little") + LITERAL


def test_compressed_blocks(tmp_path: Path) -> None:
    graph = formats.read(checkpoint(tmp_path, table([], stored=SNAPPY, kind=1), RAW))
    assert np.array_equal(graph.tensors[0].load(), np.ones((2, 3)))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x05\x10hello", b"hello"),
        (b"\x0a\x04ab\x11\x02", b"ab" + b"ababababab"[:8]),
        (b"\x0a\x04ab\x1e\x02\0", b"ababababab"),
        (b"\x0a\x04ab\x1f\x02\0\0\0", b"ababababab"),
    ],
    ids=["literal", "copy with one byte", "with two", "with four"],
)
def test_snappy(data: bytes, found: bytes) -> None:
    assert decompress(data) == found


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xff\xff\xff\x0f\x04ab", "WB903"),
        (b"\x80\x80\x04" + b"\x04ab" + b"\xfe\x02\0" * 10, "WB903"),
        (b"\x0a\x04ab\x11\x03", "WB904"),
        (b"\x0a\x10ab", "WB904"),
        (b"\x05\x04ab", "WB904"),
        (b"\x01\x04ab", "WB904"),
    ],
    ids=[
        "beyond any block",
        "beyond its bytes",
        "copy from before the start",
        "literal beyond the end",
        "too few",
        "too many",
    ],
)
def test_snappy_that_is_wrong(data: bytes, code: str) -> None:
    with pytest.raises(ModelError) as caught:
        decompress(data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
    ids=["nothing", "digits", "zeros", "ones", "rising"],
)
def test_crc32c_of_rfc_3720(data: bytes, value: int) -> None:
    assert crc32c(data) == value


@pytest.mark.parametrize("size", [1, 31, 33, (1 << 16) + 1, (1 << 22) + 5])
def test_crc32c_does_not_depend_on_lanes(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert crc32c(data) != crc32c(data[:-1] + bytes([data[-1] ^ 1]))
    assert crc32c(b"\0" * 3 + data) != crc32c(data)


def wrong(*pairs: tuple[bytes, bytes], shards: int = 1) -> bytes:
    return table([header(shards), *pairs])


HOSTILE: dict[str, tuple[bytes, str]] = {
    "more than the file": (wrong((b"a/kernel", entry((1 << 20, 1 << 20), 0, 1 << 42))), "WB903"),
    "a shape beyond 64 bits": (wrong((b"a/kernel", entry((1 << 40, 1 << 40), 0, 24))), "WB903"),
    "beyond the end": (wrong((b"a/kernel", entry((2, 3), 8, 24))), "WB904"),
    "another size than its shape's": (wrong((b"a/kernel", entry((2, 2), 0, 24))), "WB904"),
    "overlap": (wrong((b"a/kernel", entry((2, 2), 0, 16)), (b"b/kernel", entry((2, 1), 8, 8))), "WB904"),
    "no such data file": (wrong((b"a/kernel", entry((2, 3), 0, 24, shard=5))), "WB904"),
    "a data file that is not there": (wrong(KERNEL, shards=2), "WB905"),
    "a negative size": (wrong((b"a/kernel", entry((2, 3), 0, (1 << 64) - 24))), "WB904"),
    "a negative axis": (wrong((b"a/kernel", entry(((1 << 64) - 2, 3), 0, 24))), "WB904"),
    "too many axes": (wrong((b"a/kernel", entry([1] * 300, 0, 4))), "WB904"),
    "no number": (wrong((b"a/kernel", entry((3,), 0, 24, dtype=8))), "WB107"),
    "no header": (table([KERNEL]), "WB904"),
    "no data files": (wrong(KERNEL, shards=0), "WB904"),
    "keys out of order": (wrong(KERNEL, (b"Z", KERNEL[1])), "WB904"),
    "a name that is no text": (wrong((b"\xff\xfe", KERNEL[1])), "WB904"),
    "only parts that are not there": (wrong((b"a/kernel", KERNEL[1] + field(7, field(1, b"") * 2))), "WB904"),
    "a part of another rank": (wrong((b"a/kernel", KERNEL[1] + field(7, field(1, b"")))), "WB904"),
    "an unknown compression": (table([], stored=SNAPPY, kind=9), "WB107"),
    "a compressed bomb": (table([], stored=number(1 << 40) + b"\x04ab", kind=1), "WB903"),
    "no weights": (wrong(), "WB904"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_indexes(tmp_path: Path, name: str) -> None:
    content, code = HOSTILE[name]
    path = checkpoint(tmp_path, content, RAW)
    with pytest.raises(ModelError) as caught:
        formats.read(path)
    assert caught.value.code == code
    assert "m" in caught.value.where


GRAPHS: dict[str, tuple[bytes, str]] = {
    "a child that is not there": (tracked(("a", 7)), "WB904"),
    "nested without end": (b"".join(tracked(("a", i + 1)) for i in range(5000)) + tracked(), "WB903"),
    "no message": (b"\xff\xff\xff", "WB904"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_hostile_objects(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError) as caught:
        formats.read(with_objects(tmp_path, GRAPHS[name][0]))
    assert caught.value.code == GRAPHS[name][1]


def test_objects_in_a_circle_are_read(tmp_path: Path) -> None:
    graph = formats.read(with_objects(tmp_path, tracked(("a", 1), ("b", 0)) + tracked(("c", 0), ("d", 1))))
    assert [t.name for t in graph.tensors] == ["a/kernel"]


def test_many_ways_to_deep_objects_take_little_memory(tmp_path: Path) -> None:
    many = tracked(*[(f"{i}", i % 150 + 1) for i in range(60_000)])
    path = with_objects(tmp_path, many + b"".join(tracked(("x" * 1000, (i + 1) % 150)) for i in range(151)))
    tracemalloc.start()
    formats.read(path)
    assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    tracemalloc.stop()


def test_keys_that_share_all_they_can_are_a_bomb(tmp_path: Path) -> None:
    long = b"k" * 60_000
    body = number(0) * 2 + number(2) + field(1, 1) + number(0) + number(len(long)) + number(0) + long
    body += b"".join(number(len(long) + i) + number(1) + number(0) + b"k" for i in range(4000))
    with pytest.raises(ModelError) as caught:
        formats.read(checkpoint(tmp_path, table([], stored=body + bytes(4) + (1).to_bytes(4, "little"))))
    assert caught.value.code == "WB903"


def damaged(tmp_path: Path, source: Path, change: Any) -> None:
    """Reads the checkpoint with its index changed, which must end in values or in one of our errors."""
    place = tmp_path / "copy"
    shutil.copytree(source.parent, place, dirs_exist_ok=True)
    content = source.read_bytes()
    for i in range(0, len(content), 13):
        (place / source.name).write_bytes(change(content, i))
        try:
            [t.load() for t in formats.read(place / source.name).tensors]
        except ModelError as error:
            if not (error.code and error.where):
                raise


@pytest.mark.parametrize("source", [NAMES, OBJECTS], ids=["names", "objects"])
def test_truncated_and_flipped_indexes(tmp_path: Path, source: Path) -> None:
    damaged(tmp_path, source, lambda content, i: content[:i])
    damaged(tmp_path, source, lambda content, i: content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :])


def test_truncated_data_files(tmp_path: Path) -> None:
    shutil.copytree(OBJECTS.parent, tmp_path / "copy")
    data = tmp_path / "copy" / "m-1.data-00000-of-00001"
    content = data.read_bytes()
    for i in range(0, len(content), 397):
        data.write_bytes(content[:i])
        with pytest.raises(ModelError) as caught:
            formats.read(data)
        assert caught.value.code in ("WB903", "WB904")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('model_checkpoint_path: "/etc/m"', "WB902"),
        ('model_checkpoint_path: "../m"', "WB902"),
        ('model_checkpoint_path: "absent"', "WB905"),
        ("model_checkpoint_path: m", "WB904"),
    ],
    ids=["absolute", "above", "absent", "no text"],
)
def test_pointers_out_of_the_folder(tmp_path: Path, text: str, code: str) -> None:
    named(tmp_path, {"a/kernel": np.ones((2, 3))})
    (tmp_path / "checkpoint").write_text(text)
    with pytest.raises(ModelError) as caught:
        formats.read(tmp_path / "checkpoint")
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["m.index", "m.data-00000-of-00001"])
def test_links_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "inside").mkdir()
    path = named(tmp_path / "inside", {"a/kernel": np.ones((2, 3))})
    (tmp_path / "inside" / name).rename(tmp_path / "away")
    (tmp_path / "inside" / name).symlink_to(tmp_path / "away")
    with pytest.raises(ModelError) as caught:
        formats.read(path.parent / "m")
    assert caught.value.code == "WB902"


def test_a_folder_of_several(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.index").write_bytes(b"x")
    with pytest.raises(ModelError, match="2 checkpoints: a, b"):
        formats.read(tmp_path)


def test_ten_thousand_variables_take_about_a_second(tmp_path: Path) -> None:
    path = named(
        tmp_path,
        {
            f"block{i // 2}/{'bias' if i % 2 else 'kernel'}": np.ones((2,) if i % 2 else (2, 2))
            for i in range(10_000)
        },
    )
    start = time.process_time()
    assert len(formats.read(path).tensors) == 10_000
    assert time.process_time() - start < 5  # about one on an idle machine


def test_ultraface(shared_models: Path) -> None:
    graph = formats.read(shared_models / "P01_ultraface_slim/tf/export_models/slim/variables/variables.index")
    assert (len(graph.layers), len(graph.tensors), graph.parameters) == (67, 159, 264732)
    listed = json.loads((shared_models / "P01_ultraface_slim/tf/mapping_tables/slim_320.json").read_text())
    assert {layer.name for layer in graph.layers} == {row["name"] for row in listed}
    assert {t.role for t in graph.tensors} == {
        "kernel",
        "bias",
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    }
    assert all(t.load().shape == t.shape for t in graph.tensors)


@pytest.mark.framework
@pytest.mark.parametrize(
    "path",
    [NAMES, OBJECTS, FIXTURES / "keras2_dense/variables/variables.index"],
    ids=["names", "objects", "keras 2"],
)
def test_values_are_tensorflows(path: Path) -> None:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path).removesuffix(".index"))
    graph = formats.read(path)
    assert all(np.array_equal(t.load(), reader.get_tensor(t.key)) for t in graph.tensors)
    listed = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    assert len(listed) == len(graph.tensors) + len(graph.excluded)


@pytest.mark.framework
def test_every_dtype_and_rank_of_today(tmp_path: Path) -> None:
    import tensorflow as tf

    kinds = ["float16", "bfloat16", "float32", "float64", "int8", "uint16"]
    made = {kind: tf.Variable(tf.cast(tf.reshape(tf.range(6), (1, 2, 3)), kind)) for kind in kinds}
    path = tf.train.Checkpoint(**made).write(str(tmp_path / "m"))
    found = {t.name: t.load() for t in formats.read(path).tensors}
    assert {name: str(a.dtype) for name, a in found.items()} == {kind: kind for kind in kinds}
    assert all(a.astype("f4").ravel().tolist() == list(range(6)) for a in found.values())


assert sys.byteorder == "little", "the tables above are written for little-endian machines"
