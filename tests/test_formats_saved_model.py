"""SavedModels of tf.keras 2, Keras 3 and TensorFlow 1.

The graph that an .h5 of the model has, values, and hostile folders.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow_files import FIXTURES, field, tracked
from test_formats_checkpoint import expected, sums

from weightbridge import formats
from weightbridge.errors import MissingFile, ModelError, OutputError, Unsupported
from weightbridge.formats.hashing import content_hash
from weightbridge.formats.wire import Span, fields
from weightbridge.model.graph import LayerGraph

WITH_H5 = ["keras2_attention", "keras2_custom", "keras2_dense", "keras2_nested", "keras2_recurrent"]
ALL = [*WITH_H5, "keras2_subclassed", "keras3_export", "tf1_variables", "tf1_frozen"]


def described(graph: LayerGraph) -> list[Any]:
    return [
        (
            x.name,
            x.op,
            x.class_name,
            dict(x.attributes),
            x.output_shape,
            [(t.name, t.role, t.shape, t.dtype, t.trainable) for t in x.tensors],
        )
        for x in graph.layers
    ]


# Its metadata does not say where the class of a wrapped layer lives, which the .h5 says.
ONLY_SAVED = {"keras2_recurrent": ("WB102",)}


@pytest.mark.parametrize("name", WITH_H5)
def test_as_the_h5_of_the_same_model(name: str) -> None:
    saved, h5 = formats.read(FIXTURES / name), formats.read(FIXTURES / f"{name}.h5")
    assert saved.format == "saved-model"
    assert described(saved) == described(h5)
    assert (saved.edges, saved.inputs, saved.outputs, saved.has_flow) == (
        h5.edges,
        h5.inputs,
        h5.outputs,
        True,
    )
    of_saved, of_h5 = ([f.code for f in graph.findings] for graph in (saved, h5))
    assert of_saved == [*ONLY_SAVED.get(name, ()), *of_h5]
    assert all(np.array_equal(a.load(), b.load()) for a, b in zip(saved.tensors, h5.tensors, strict=True))


@pytest.mark.parametrize("name", ALL)
def test_values(name: str) -> None:
    assert sums(formats.read(FIXTURES / name)) == expected(name)


@pytest.mark.parametrize(
    ("name", "layers", "parameters", "codes"),
    [
        (
            "keras2_subclassed",
            ["c", "batch_normalization", "block", "block/inner", "block/first", "block/second"],
            170,
            ["WB104", "WB104"],
        ),
        ("keras3_export", ["conv", "bn", "fc"], 418, []),
        ("tf1_variables", ["conv1/BatchNorm", "conv1", "dense", "emb/word_embeddings", "rnn"], 3301, []),
    ],
    ids=["subclassed", "exported by Keras 3", "TensorFlow 1"],
)
def test_without_data_flow(name: str, layers: list[str], parameters: int, codes: list[str]) -> None:
    graph = formats.read(FIXTURES / name)
    assert ([x.name for x in graph.layers], graph.parameters, graph.has_flow) == (layers, parameters, False)
    assert [f.code for f in graph.findings] == codes


def test_layers_of_a_subclassed_model_have_the_attributes_of_their_configs() -> None:
    layers = formats.read(FIXTURES / "keras2_subclassed").by_name
    assert layers["c"].attributes["strides"] == (1, 1)
    assert layers["batch_normalization"].attributes["epsilon"] == 0.001


def test_constants_of_a_frozen_graph() -> None:
    graph = formats.read(FIXTURES / "tf1_frozen")
    found = {t.name: (graph.owner[t.name].op, t.role) for t in graph.tensors}
    assert found["conv1/weights"] == ("Conv", "kernel")
    assert found["conv1/biases"] == ("Conv", "bias")
    assert found["conv1/BatchNorm/moving_variance"] == ("BatchNorm", "moving_variance")
    assert found["dense/bias"] == ("Dense", "bias")


def test_the_second_copy_that_keras_3_exports_is_no_weight() -> None:
    left = {e.name: e.reason for e in formats.read(FIXTURES / "keras3_export").excluded}
    assert left["_all_variables/0"] == "state"


def test_an_optimizer_is_no_weight() -> None:
    reasons = {e.reason for e in formats.read(FIXTURES / "keras2_dense").excluded}
    assert reasons == {"optimizer", "state"}


def copied(tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(FIXTURES / name, tmp_path / name))


@pytest.mark.parametrize("file", ["", "saved_model.pb"], ids=["folder", "file"])
def test_the_hash_covers_every_file(tmp_path: Path, file: str) -> None:
    place = copied(tmp_path, "keras2_dense")
    path = place / file if file else place
    first = content_hash(formats.read(path))
    data = place / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes() + b"?")
    assert content_hash(formats.read(path)) != first


def test_saved_models_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="read only"):
        formats.write(formats.read(FIXTURES / "keras2_dense"), tmp_path / "out", ())


def readable(path: Path) -> bool:
    """Whether it is read; anything but one of our errors fails the test."""
    try:
        for tensor in formats.read(path).tensors:
            tensor.load()
    except ModelError as error:
        if not (error.code and error.where):
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("name", "file", "step"),
    [
        ("keras2_nested", "saved_model.pb", 97),
        ("keras2_nested", "keras_metadata.pb", 197),
        ("keras2_subclassed", "saved_model.pb", 151),
        ("keras3_export", "saved_model.pb", 23),
        ("tf1_frozen", "saved_model.pb", 211),
    ],
    ids=["keras", "metadata", "subclassed", "export", "frozen"],
)
def test_truncated_and_flipped(tmp_path: Path, name: str, file: str, step: int) -> None:
    path = copied(tmp_path, name)
    content = (path / file).read_bytes()
    outcomes = []
    for i in range(0, len(content), step):
        (path / file).write_bytes(content[:i])
        outcomes.append(readable(path))
        (path / file).write_bytes(content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :])
        readable(path)
    assert not all(outcomes)


def saved(folder: Path, objects: bytes = b"", *, graph: bytes = b"") -> Path:
    """A SavedModel beside the variables of another one."""
    meta = (
        field(1, field(4, b"serve"))
        + (field(2, graph) if graph else b"")
        + (field(7, objects) if objects else b"")
    )
    (folder / "saved_model.pb").write_bytes(field(1, 1) + field(2, meta))
    return folder


def keras_root(metadata: Any) -> bytes:
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    return field(1, field(4, field(1, b"_tf_keras_network") + field(3, text)))


DEEP: Any = {"class_name": "Sequential", "config": {"layers": []}}
for _ in range(100):
    DEEP = {"class_name": "Sequential", "config": {"layers": [DEEP]}}
HOSTILE: dict[str, tuple[bytes, str]] = {
    "no JSON": (keras_root(b"{"), "WB904"),
    "JSON without end": (keras_root(b"[" * 100_000), "WB904"),
    "no class": (keras_root({"config": {}}), "WB904"),
    "a config of another kind": (keras_root({"class_name": "Functional", "config": 7}), "WB904"),
    "models in models": (keras_root(DEEP), "WB904"),
    "a child that is not there": (tracked(("a", 9)), "WB904"),
    "metadata that is no text": (keras_root(b"\xff\xfe"), "WB904"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_objects(tmp_path: Path, name: str) -> None:
    content, code = HOSTILE[name]
    path = copied(tmp_path, "keras2_dense")
    (path / "keras_metadata.pb").unlink()
    with pytest.raises(ModelError) as caught:
        formats.read(saved(path, content))
    assert caught.value.code == code


def test_objects_in_a_circle_are_read(tmp_path: Path) -> None:
    path = copied(tmp_path, "keras3_export")
    graph = formats.read(saved(path, tracked(("a", 1), ("self", 0)) + tracked(("b", 0), ("b", 1))))
    assert graph.parameters == 418


def constant(shape: tuple[int, ...], **fields: bytes) -> bytes:
    dims = b"".join(field(2, field(1, n)) for n in shape)
    value = (
        field(1, 1)
        + field(2, dims)
        + (field(4, fields["raw"]) if "raw" in fields else field(5, fields.get("numbers", b"")))
    )
    return field(
        1, field(1, b"w") + field(2, b"Const") + field(5, field(1, b"value") + field(2, field(8, value)))
    )


MATMUL = field(1, field(1, b"y") + field(2, b"MatMul") + field(3, b"x") + field(3, b"w"))
FROZEN: dict[str, tuple[bytes, str]] = {
    "a shape far beyond the file": (constant((1 << 20, 1 << 20), numbers=bytes(4)), "WB903"),
    "another size than its shape's": (constant((2, 3), raw=bytes(20)), "WB904"),
    "more values than its shape has": (constant((1, 2), numbers=bytes(12)), "WB904"),
    "nothing": (b"", "WB904"),
}


@pytest.mark.parametrize("name", FROZEN)
def test_hostile_constants(tmp_path: Path, name: str) -> None:
    content, code = FROZEN[name]
    with pytest.raises(ModelError) as caught:
        [t.load() for t in formats.read(saved(tmp_path, graph=content + MATMUL)).tensors]
    assert caught.value.code == code


def test_the_last_number_of_a_constant_is_repeated(tmp_path: Path) -> None:
    numbers = np.array([1, 2], "<f4").tobytes()
    graph = formats.read(saved(tmp_path, graph=constant((2, 2), numbers=numbers) + MATMUL))
    assert graph.tensors[0].load().tolist() == [[1, 2], [2, 2]]


def test_a_constant_without_numbers_is_zero(tmp_path: Path) -> None:
    graph = formats.read(saved(tmp_path, graph=constant((1, 2), numbers=b"") + MATMUL))
    assert graph.tensors[0].load().tolist() == [[0, 0]]


def test_operations_in_a_circle(tmp_path: Path) -> None:
    circle = field(1, field(1, b"w") + field(2, b"Identity") + field(3, b"v")) + field(
        1, field(1, b"v") + field(2, b"Identity") + field(3, b"w")
    )
    with pytest.raises(ModelError, match="no weights"):
        formats.read(saved(tmp_path, graph=circle + MATMUL))


@pytest.mark.parametrize(
    "name", ["variables", "variables/variables.index", "saved_model.pb", "keras_metadata.pb"]
)
def test_links_out_of_the_folder(tmp_path: Path, name: str) -> None:
    path = copied(tmp_path, "keras2_dense")
    (path / name).rename(tmp_path / "away")
    (path / name).symlink_to(tmp_path / "away", target_is_directory=os.path.isdir(tmp_path / "away"))
    with pytest.raises(ModelError) as caught:
        formats.read(path)
    assert caught.value.code == "WB902"


def test_a_saved_model_as_text(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pbtxt").write_text("saved_model_schema_version: 1")
    with pytest.raises(ModelError, match="pbtxt"):
        formats.read(tmp_path)


def test_dtln_is_its_h5(shared_models: Path) -> None:
    saved_model, h5 = (
        formats.read(shared_models / "P02_dtln" / name) for name in ("dtln_saved_model", "model.h5")
    )
    known = {t.name: t for t in h5.tensors}
    assert (len(saved_model.tensors), saved_model.parameters, saved_model.has_flow) == (20, 986753, True)
    assert {t.name for t in saved_model.tensors} == set(known)
    assert all(
        t.role == known[t.name].role and np.array_equal(t.load(), known[t.name].load())
        for t in saved_model.tensors
    )


def test_basic_pitch(shared_models: Path) -> None:
    graph = formats.read(shared_models / "P09_basic_pitch/nmp")
    assert (len(graph.layers), len(graph.tensors), graph.parameters, graph.has_flow) == (24, 24, 16864, True)
    assert len(graph.parents["concat"]) == 2
    assert {f.code for f in graph.findings} == {"WB102", "WB104", "WB108"}  # its transform is constants
    assert {e.reason for e in graph.excluded} == {"optimizer", "state"}


@pytest.mark.framework
@pytest.mark.parametrize("name", ["P02_dtln/dtln_saved_model", "P09_basic_pitch/nmp"])
def test_real_values_are_tensorflows(shared_models: Path, name: str) -> None:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(shared_models / name / "variables" / "variables"))
    tensors = formats.read(shared_models / name).tensors
    assert tensors
    assert all(np.array_equal(t.load(), reader.get_tensor(t.key)) for t in tensors)


@pytest.mark.framework
def test_what_keras_exports_today(tmp_path: Path) -> None:
    import keras

    x = keras.layers.Input((5, 3))
    y = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True, name="gru"), name="both")(x)
    model = keras.Model(x, keras.layers.MultiHeadAttention(2, 3, name="mha")(y, y))
    model.export(tmp_path / "m", verbose=False)
    graph = formats.read(tmp_path / "m")
    found = {t.name.replace("/gru_cell", ""): t.load() for t in graph.tensors}
    assert {v.path.replace("/gru_cell", "") for v in model.trainable_variables} == set(found)
    assert all(
        np.array_equal(found[v.path.replace("/gru_cell", "")], v.numpy()) for v in model.trainable_variables
    )


def test_constants_inside_a_function_are_weights(tmp_path: Path) -> None:
    """As onnx-tf and tf.Module save a model without variables."""
    nodes = constant((2, 2), raw=np.arange(4, dtype="<f4").tobytes()) + MATMUL
    function = b"".join(field(3, node) for node in bodies(nodes))
    path = saved(tmp_path, graph=field(2, field(1, field(1, field(1, b"call")) + function)))
    (layer,) = formats.read(path).layers
    assert (layer.op, [t.role for t in layer.tensors]) == ("Dense", ["kernel"])
    assert layer.tensors[0].load().tolist() == [[0, 1], [2, 3]]


def bodies(nodes: bytes) -> list[bytes]:
    """The messages of a graph's nodes."""
    return [nodes[f.start : f.end] for f in fields(nodes, Span(0, len(nodes)))]


def test_variables_without_their_folder_are_missing(tmp_path: Path) -> None:
    variable = field(1, field(1, b"v") + field(2, b"VarHandleOp"))
    with pytest.raises(MissingFile, match="variables/"):
        formats.read(saved(tmp_path, graph=variable))


GRAPH = constant((2, 2), raw=bytes(16)) + MATMUL
LONG = field(
    1, field(1, b"n" * 45) + field(2, b"Placeholder")
)  # 60 bytes: the field begins with 0a 3c, "\\n<"
TENSORFLOW_1: dict[str, tuple[bytes, str]] = {
    "meta": (
        field(1, field(5, b"1.15")) + field(2, GRAPH) + field(3, field(1, b"save")),
        "graph of a TensorFlow 1",
    ),
    "text": (b'node {\\n  name: "x"\\n}', "as text"),
}


@pytest.mark.parametrize("content", [GRAPH, LONG + GRAPH], ids=["plain", "first node of sixty bytes"])
def test_a_frozen_graph_is_known_by_its_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.bin").write_bytes(content)
    assert formats.sniff(tmp_path / "m.bin") == "tf-graph"


@pytest.mark.parametrize("name", TENSORFLOW_1)
def test_graphs_of_tensorflow_1_are_called_what_they_are(tmp_path: Path, name: str) -> None:
    content, words = TENSORFLOW_1[name]
    (tmp_path / "m.pb").write_bytes(content)
    with pytest.raises(Unsupported, match=words):
        formats.read(tmp_path / "m.pb")


def test_constants_that_no_layer_reads_are_left_out_with_a_reason(tmp_path: Path) -> None:
    idle = constant((3, 1), raw=bytes(12)).replace(b"\x0a\x01w", b"\x0a\x01u", 1)
    graph = formats.read(saved(tmp_path, graph=constant((2, 2), raw=bytes(16)) + idle + MATMUL))
    assert [(e.name, e.reason, e.size) for e in graph.excluded] == [("u", "state", 3)]
