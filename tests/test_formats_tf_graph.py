"""Graphs of TensorFlow with data flow: functions inlined, frozen graphs, graphs that lie."""

import struct
from pathlib import Path

import numpy as np
import pytest
from tensorflow_files import FIXTURES, field

import weightbridge as wb
from weightbridge import formats
from weightbridge.errors import ModelError

KERNEL = np.random.default_rng(2).normal(size=(3, 2, 3, 4)).astype("<f4")


def attribute(name: str, value: bytes) -> bytes:
    return field(5, field(1, name.encode()) + field(2, value))


def shape_of(*lengths: int) -> bytes:
    return b"".join(field(2, field(1, n)) for n in lengths)


def node(name: str, op: str, *inputs: str, **attributes: bytes) -> bytes:
    """A NodeDef's content."""
    told = b"".join(attribute(key, value) for key, value in attributes.items())
    return (
        field(1, name.encode())
        + field(2, op.encode())
        + b"".join(field(3, i.encode()) for i in inputs)
        + told
    )


def constant(name: str, array: np.ndarray) -> bytes:
    dtype = {"float32": 1, "int32": 3}[array.dtype.name]
    value = field(1, dtype) + field(2, shape_of(*array.shape)) + field(4, array.tobytes())
    return node(name, "Const", value=field(8, value), dtype=field(6, dtype))


def graph(*nodes: bytes, functions: tuple[bytes, ...] = ()) -> bytes:
    library = b"".join(field(1, function) for function in functions)
    return b"".join(field(1, n) for n in nodes) + (field(2, library) if functions else b"")


def function(name: str, argument: str, output: str, result: str, *nodes: bytes) -> bytes:
    signature = (
        field(1, name.encode()) + field(2, field(1, argument.encode())) + field(3, field(1, output.encode()))
    )
    body = b"".join(field(3, n) for n in nodes)
    return field(1, signature) + body + field(4, field(1, output.encode()) + field(2, result.encode()))


IMAGE = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(1, 6, 8, 3)))
STRIDES = field(1, b"".join(field(3, n) for n in (1, 1, 2, 1)))
CONV = {"padding": field(2, b"SAME"), "strides": STRIDES}


def convolution(name: str, data: str, kernel: str) -> bytes:
    return node(name, "Conv2D", data, kernel, **CONV)


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_frozen_graph_is_layers_with_data_flow(tmp_path: Path) -> None:
    bias = np.arange(4, dtype="<f4")
    path = saved(tmp_path / "m.pb", graph(
        IMAGE, constant("conv/kernel", KERNEL), constant("conv/bias", bias),
        convolution("conv/Conv2D", "x", "conv/kernel"),
        node("conv/BiasAdd", "BiasAdd", "conv/Conv2D", "conv/bias"),
        node("conv/Relu", "Relu", "conv/BiasAdd:0"),
    ))  # fmt: skip
    read = wb.read(path)
    assert (read.format, read.has_flow) == ("tf-graph", True)
    assert [(layer.name, layer.op, layer.output_shape) for layer in read.layers] == [
        ("x", "Input", (6, 8, 3)), ("conv", "Conv", (6, 4, 4)), ("conv/Relu", "Activation", (6, 4, 4)),
    ]  # fmt: skip
    assert [(t.name, t.role, t.axes) for t in read.tensors] == [
        ("conv/kernel", "kernel", "h w i o"), ("conv/bias", "bias", "o"),
    ]  # fmt: skip
    assert read.by_name["conv"].attributes["padding"] == ((1, 1), (0, 0))
    assert np.array_equal(read.tensors[0].load(), KERNEL)


def test_functions_are_written_out_where_they_are_called(tmp_path: Path) -> None:
    """Two calls of one function share its constants."""
    called = function(
        "f", "a", "r", "y:output:0", constant("k", KERNEL[:, :, :, :3]), convolution("y", "a", "k:output:0")
    )
    call = {"f": field(10, field(1, b"f"))}
    content = graph(IMAGE, node("one", "PartitionedCall", "x", **call),
                    node("two", "StatefulPartitionedCall", "one", **call), functions=(called,))  # fmt: skip
    read = wb.read(saved(tmp_path / "m.pb", content))
    assert [layer.op for layer in read.layers] == ["Input", "Conv", "Conv"]
    assert [layer.attributes.get("shared_with") for layer in read.layers] == [None, None, read.layers[1].name]
    assert read.parameters == KERNEL[:, :, :, :3].size


def test_an_output_that_is_a_constant_is_named(tmp_path: Path) -> None:
    weight = constant("w", KERNEL)
    nodes = (IMAGE, weight, convolution("y", "x", "w"))
    read = wb.read(saved(tmp_path / "m.pb", graph(*nodes, node("again", "Identity", "w"))))
    assert (len(read.outputs), read.fixed_outputs) == (1, ("w",))
    assert wb.read(saved(tmp_path / "n.pb", graph(*nodes))).fixed_outputs == ()


def test_an_unknown_operation_keeps_its_name_and_its_tensors(tmp_path: Path) -> None:
    weight = constant("w", KERNEL)
    read = wb.read(saved(tmp_path / "m.pb", graph(IMAGE, weight, node("y", "Mystery", "x", "w"))))
    assert [(layer.op, layer.class_name, [t.name for t in layer.tensors]) for layer in read.layers[1:]] == [
        ("Opaque", "Mystery", ["w"])
    ]


def test_a_frozen_graph_of_tensorflow_1_has_data_flow() -> None:
    read = formats.read(FIXTURES / "tf1_frozen")
    assert read.has_flow
    norm = next(layer for layer in read.layers if layer.op == "BatchNorm")
    assert norm.attributes["scale"] is False
    assert [t.role for t in norm.tensors] == ["beta", "moving_mean", "moving_variance"]


CALL = {"f": field(10, field(1, b"f"))}
LOOP = function("f", "a", "r", "y:output:0", node("y", "PartitionedCall", "a", **CALL))
DOUBLING = [
    function(f"F{i}", "a", "r", "two:output:0",
             node("one", f"F{i + 1}", "a"), node("two", f"F{i + 1}", "one:output:0"))
    for i in range(40)
]  # fmt: skip
LAST = function("F40", "a", "r", "y:output:0", node("y", "Relu", "a"))
CODES = {
    "a function that calls itself": (
        graph(IMAGE, node("y", "PartitionedCall", "x", **CALL), functions=(LOOP,)), "WB904"),
    "functions that double forty times": (
        graph(IMAGE, node("y", "F0", "x"), functions=(*DOUBLING, LAST)), "WB903"),
    "a function that gives what it does not make": (
        graph(IMAGE, node("y", "F", "x"), functions=(function("F", "a", "r", "z:output:0"),)), "WB904"),
    "a constant beyond the file": (
        graph(IMAGE, node("w", "Const", value=field(8, field(1, 1) + field(2, shape_of(1 << 20, 1 << 20)))),
              node("y", "MatMul", "x", "w")), "WB903"),
    "values that nothing makes": (graph(node("y", "Relu", "nothing")), "WB904"),
    "a cycle": (graph(node("a", "Relu", "b"), node("b", "Tanh", "a"), node("c", "Abs", "a")), "WB904"),
}  # fmt: skip


@pytest.mark.parametrize("name", CODES)
def test_what_is_not_true_is_refused(tmp_path: Path, name: str) -> None:
    content, code = CODES[name]
    path = saved(tmp_path / "m.pb", content)
    with pytest.raises(ModelError) as raised:
        wb.read(path)
    assert raised.value.code == code
    assert str(path) in str(raised.value)


def test_every_cut_and_every_changed_byte_is_refused_or_read(tmp_path: Path) -> None:
    data = graph(IMAGE, constant("k", KERNEL), convolution("y", "x", "k"))
    broken = [data[:n] for n in range(1, len(data), 7)]
    broken += [data[:n] + struct.pack("B", data[n] ^ 0xFF) + data[n + 1 :] for n in range(0, len(data), 5)]
    for content in broken:
        path = saved(tmp_path / "m.pb", content)
        try:
            wb.read(path)
        except ModelError as error:
            refusal = str(error)
            assert str(path) in refusal


def test_it_is_no_target(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.pb", graph(IMAGE, constant("k", KERNEL), convolution("y", "x", "k")))
    with pytest.raises(wb.WeightbridgeError, match="read only"):
        formats.write(wb.read(path), tmp_path / "n.pb", [])
