"""TFLite files as layers: names, shapes, layouts, scales, the ledger, and files that lie."""

import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_files import Graph, Op, Scalar, Tensor, byte, content, integer, saved

import weightbridge as wb
from weightbridge import formats
from weightbridge.errors import ModelError

SAME = 0  # a padding
RNG = np.random.default_rng(5)
KERNEL, BIAS = RNG.normal(size=(4, 3, 2, 3)), RNG.normal(size=4)
CONV = {0: byte(SAME), 1: integer(2), 2: integer(1), 3: byte(3), 4: integer(1), 5: integer(1)}


def network(**kernel: object) -> Graph:
    """One convolution with relu6 and a dense layer."""
    settings: dict[str, Any] = {"shape": KERNEL.shape, "array": KERNEL, **kernel}
    weights = Tensor("net/conv/Conv2D", **settings)
    tensors = [
        Tensor("x", (1, 6, 8, 3)),
        weights,
        Tensor("net/conv/BiasAdd", (4,), array=BIAS),
        Tensor("net/conv/Relu6", (1, 6, 4, 4)),
        Tensor("net/flatten/Const", (2,), "int32", (-1, 96)),
        Tensor("net/flatten/Reshape", (1, 96)),
        Tensor("net/dense/MatMul", (5, 96), array=RNG.normal(size=(5, 96))),
        Tensor("out", (1, 5)),
    ]
    ops = [
        Op("CONV_2D", (0, 1, 2), (3,), CONV),
        Op("RESHAPE", (3, 4), (5,)),
        Op("FULLY_CONNECTED", (5, 6, -1), (7,)),
    ]
    return Graph(tensors, ops, (0,), (7,))


def test_layers_have_the_files_names_and_shapes(tmp_path: Path) -> None:
    graph = wb.read(saved(tmp_path / "m.tflite", network()))
    assert graph.format == "tflite"
    assert graph.producer == "tflite 3, by hand"
    assert [(layer.name, layer.op, layer.output_shape) for layer in graph.layers] == [
        ("x", "Input", (6, 8, 3)),
        ("conv", "Conv", (6, 4, 4)),
        ("conv/Relu6", "Activation", (6, 4, 4)),
        ("flatten", "Flatten", (96,)),
        ("dense", "Dense", (5,)),
    ]
    tensors = {t.name: (t.role, t.shape, t.axes) for t in graph.tensors}
    assert tensors == {
        "net/conv/Conv2D": ("kernel", (4, 3, 2, 3), "o h w i"),
        "net/conv/BiasAdd": ("bias", (4,), "o"),
        "net/dense/MatMul": ("kernel", (5, 96), "o i"),
    }
    assert [(e.name, e.size) for e in graph.excluded] == [("net/flatten/Const", 2)]
    assert not graph.findings


def test_attributes_say_what_the_options_do(tmp_path: Path) -> None:
    graph = wb.read(saved(tmp_path / "m.tflite", network()))
    conv = graph.by_name["conv"]
    expected = {"strides": (1, 2), "kernel_size": (3, 2), "data_format": "channels_last", "filters": 4}
    assert expected.items() <= dict(conv.attributes).items()
    assert conv.attributes["padding"] == ((1, 1), (0, 0))
    assert graph.by_name["conv/Relu6"].attributes["activation"] == "relu6"


def test_bytes_are_read_when_they_are_wanted(tmp_path: Path) -> None:
    graph = wb.read(saved(tmp_path / "m.tflite", network()))
    assert np.array_equal(graph.tensor_by_name["net/conv/Conv2D"].load(), KERNEL.astype(np.float32))


CODES = RNG.integers(-127, 128, KERNEL.shape)
SCALES = (0.5, 0.25, 0.125, 1.0)


@pytest.mark.parametrize(
    ("scale", "zero_point"), [(SCALES, (0, 0, 0, 0)), ((0.5,), (3,)), (SCALES, (1, 2, 3, 4))], ids=str
)
def test_codes_become_floats_by_their_scales(
    tmp_path: Path, scale: tuple[float, ...], zero_point: tuple[int, ...]
) -> None:
    graph = wb.read(
        saved(tmp_path / "m.tflite", network(dtype="int8", array=CODES, scale=scale, zero_point=zero_point))
    )
    kernel = graph.tensor_by_name["net/conv/Conv2D"]
    shaped = [np.reshape(numbers, (-1, 1, 1, 1)) for numbers in (scale, zero_point)]
    assert kernel.dtype == "float32"
    assert np.allclose(kernel.load(), (CODES - shaped[1]) * shaped[0])
    assert kernel.computed is not None
    assert kernel.computed.parameters["stored"] == "int8"
    assert [(f.code, f.severity) for f in graph.findings] == [("WB109", "warning")]


def test_codes_whose_scales_do_not_fit_are_no_floats(tmp_path: Path) -> None:
    graph = wb.read(saved(tmp_path / "m.tflite", network(dtype="int8", array=CODES, scale=(1.0, 2.0))))
    assert [(f.code, f.severity) for f in graph.findings] == [("WB109", "error")]


def test_a_buffer_that_two_tensors_share_is_counted_once(tmp_path: Path) -> None:
    graph = network()
    twin = Tensor("net/again/Conv2D", KERNEL.shape, same_as=1)
    more = [*graph.tensors, twin, Tensor("net/again/Relu", (1, 6, 4, 4))]
    ops = [*graph.ops, Op("CONV_2D", (0, 8, 2), (9,), CONV)]
    read = wb.read(saved(tmp_path / "m.tflite", Graph(more, ops, (0,), (7, 9))))
    shared = [layer for layer in read.layers if layer.attributes.get("shared_with")]
    assert [layer.attributes["shared_with"] for layer in shared] == ["conv"]
    assert read.parameters == KERNEL.size + BIAS.size + 480


def test_a_custom_operator_is_an_unknown_layer_with_its_tensors(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 4)), Tensor("net/mine/w", (4, 4), array=np.eye(4)), Tensor("y", (1, 4))]
    graph = Graph(tensors, [Op("CUSTOM", (0, 1), (2,), custom="Mine\x1b")], (0,), (2,))
    read = wb.read(saved(tmp_path / "m.tflite", graph))
    assert [(layer.op, layer.class_name) for layer in read.layers[1:]] == [("Opaque", "Mine\x1b")]
    assert [t.name for t in read.tensors] == ["net/mine/w"]
    assert [f.code for f in read.findings] == ["WB104"]


def test_other_graphs_of_the_file_are_named(tmp_path: Path) -> None:
    other = Graph([Tensor("x", (1, 4)), Tensor("w", (2, 4), array=np.ones((2, 4))), Tensor("y", (1, 2))],
                  [Op("FULLY_CONNECTED", (0, 1, -1), (2,))], (0,), (2,), "train")  # fmt: skip
    path = saved(tmp_path / "m.tflite", network(), other, signatures=[("serving_default", 0), ("train", 1)])
    graph = wb.read(path)
    assert ("train/w", 8) in [(e.name, e.size) for e in graph.excluded]
    assert [f.code for f in graph.findings] == ["WB108"]
    served = saved(tmp_path / "n.tflite", network(), other, signatures=[("serving_default", 1)])
    assert [t.name for t in wb.read(served).tensors] == ["w"]


def test_an_output_that_is_a_constant_is_named(tmp_path: Path) -> None:
    graph = network()
    read = wb.read(saved(tmp_path / "m.tflite", Graph(graph.tensors, graph.ops, (0,), (7, 4))))
    assert (read.outputs, read.fixed_outputs) == (("dense",), ("net/flatten/Const",))
    assert wb.read(saved(tmp_path / "n.tflite", graph)).fixed_outputs == ()


def test_weights_inside_a_loop_are_the_loops(tmp_path: Path) -> None:
    cond = Graph(
        [Tensor("a", (1, 4)), Tensor("b", (1,), "int32")], [Op("ABS", (0,), (1,))], (0,), (1,), "cond"
    )
    body = Graph([Tensor("a", (1, 4)), Tensor("w", (4, 4), array=np.eye(4)), Tensor("b", (1, 4))],
                 [Op("FULLY_CONNECTED", (0, 1, -1), (2,))], (0,), (2,), "body")  # fmt: skip
    main = Graph([Tensor("x", (1, 4)), Tensor("y", (1, 4))],
                 [Op("WHILE", (0,), (1,), {0: integer(1), 1: integer(2)})], (0,), (1,))  # fmt: skip
    graph = wb.read(saved(tmp_path / "m.tflite", main, cond, body))
    assert [(layer.op, [t.name for t in layer.tensors]) for layer in graph.layers[1:]] == [
        ("Opaque", ["y/w"])
    ]
    assert not graph.excluded


def test_it_is_no_target(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.tflite", network())
    with pytest.raises(wb.WeightbridgeError, match="read only") as raised:
        formats.write(wb.read(path), tmp_path / "n.tflite", [])
    assert raised.value.code == "WB906"


def ops(*ops: Op, output: int = 7) -> bytes:
    """The network's tensors with other operators."""
    return content(Graph(network().tensors, ops, (0,), (output,)))


LOOP = Op("WHILE", (0,), (1,), {0: integer(0), 1: integer(0)})
BEHIND = {1: Scalar("Q", 1 << 40), 2: Scalar("Q", 8)}  # a buffer's place and length
LIES = {
    "a tensor that there is not": (ops(Op("ABS", (99,), (3,))), "WB904"),
    "a subgraph that there is not": (content(network(), signatures=[("serving_default", 7)]), "WB904"),
    "a loop that runs itself": (
        content(Graph([Tensor("x", (1,)), Tensor("y", (1,))], [LOOP], (0,), (1,))), "WB904"),
    "a buffer that is too short": (content(network(array=KERNEL[:2])), "WB904"),
    "a shape beyond the file": (content(network(shape=(1 << 20, 1 << 20, 2, 3))), "WB903"),
    "a cycle": (ops(Op("ABS", (3,), (5,)), Op("ABS", (5,), (3,)), output=5), "WB904"),
    "a value that nothing makes": (ops(Op("ABS", (5,), (3,)), output=3), "WB904"),
    "values in another file": (content(network(more={10: integer(1)})), "WB902"),
    "sparse values": (content(network(more={6: {0: np.zeros(1, np.int32)}})), "WB107"),
    "a buffer behind the file": (content(network(), more={4: [{}, *(BEHIND,) * 5]}), "WB904"),
    "no graph": (content(), "WB107"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_what_is_not_true_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.tflite"
    data, code = LIES[name]
    path.write_bytes(data)
    with pytest.raises(ModelError) as raised:
        wb.read(path)
    assert raised.value.code == code
    assert str(path) in str(raised.value)
    assert raised.value.fix


def test_every_cut_and_every_changed_byte_is_refused_or_read(tmp_path: Path) -> None:
    data = content(network(dtype="int8", array=CODES, scale=SCALES, zero_point=(0, 0, 0, 0)))
    path = tmp_path / "m.tflite"
    cut = [data[:n] for n in range(8, len(data), 17)]
    changed = [data[:n] + bytes([data[n] ^ 0xFF]) + data[n + 1 :] for n in range(8, len(data), 11)]
    refusals = []
    for broken in (*cut, *changed):
        path.write_bytes(broken)
        try:
            wb.read(path)
        except ModelError as error:
            refusals.append(str(error))
    assert len(refusals) > len(cut)
    assert all(str(path) in refusal for refusal in refusals)


def test_tables_that_share_all_they_hold_are_not_expanded(tmp_path: Path) -> None:
    """Thousands of entries, each of them one and the same table with a name of a megabyte."""
    data, count = bytearray(content(network())), 1 << 16
    tensors = len(data)
    vtable = tensors + 4 + 4 * count
    table = vtable + 12
    offsets = (table - tensors - 4) - 4 * np.arange(count, dtype=np.uint32)
    data += struct.pack("<I", count) + offsets.tobytes()
    data += struct.pack("<HHHHHH", 12, 8, 0, 0, 0, 4) + struct.pack("<iI", table - vtable, 4)
    data += struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
    path = tmp_path / "m.tflite"
    root = struct.unpack_from("<I", data)[0]
    subgraphs_at = (
        root + struct.unpack_from("<H", data, root - struct.unpack_from("<i", data, root)[0] + 8)[0]
    )
    subgraphs = subgraphs_at + struct.unpack_from("<I", data, subgraphs_at)[0]
    subgraph = subgraphs + 4 + struct.unpack_from("<I", data, subgraphs + 4)[0]
    struct.pack_into("<I", data, subgraph + 4, tensors - subgraph - 4)
    path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(ModelError) as raised:
        wb.read(path)
    assert raised.value.code == "WB903"
    assert time.process_time() - start < 5
