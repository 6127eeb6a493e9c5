"""Writing ONNX: the given tensors changed bit by bit, everything else as it was, wherever the bytes stood."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_samples import model, small, values

from weightbridge import formats
from weightbridge.errors import OutputError
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor

W, V = values((4, 4), 1), values((4,), 2)


def doubled(graph: LayerGraph) -> Iterable[tuple[Tensor, Array]]:
    return ((t, (t.load() * 2).astype(t.load().dtype)) for t in reversed(graph.tensors))


def external(path: Path, place: str = "weights.bin") -> Path:
    """A model whose weight lies in another file."""
    proto = model([("Gemm", ["x", "w", "v"], ["y"], {})], {"v": V}, {"x": ["n", 4]}, {"y": ["n", 4]})
    tensor = proto.graph.initializer.add(
        name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": place, "offset": "16", "length": "64"}.items():
        tensor.external_data.add(key=key, value=value)
    (path.parent / place).write_bytes(b"\0" * 16 + W.tobytes() + b"more")
    path.write_bytes(proto.SerializeToString())
    return path


def typed(path: Path) -> Path:
    """Floats as single fields, and half floats as integers: nothing that can be patched in place."""
    proto = model([("Gemm", ["x", "w", "v"], ["y"], {})], {"v": V}, {"x": ["n", 4]}, {"y": ["n", 4]})
    proto.graph.initializer.append(
        helper.make_tensor("w", TensorProto.FLOAT16, [4, 4], W.reshape(-1).tolist())
    )
    path.write_bytes(proto.SerializeToString())
    return path


@pytest.mark.parametrize("build", [small, external, typed], ids=["raw", "external", "typed"])
def test_every_tensor_is_replaced_and_the_rest_stays(tmp_path: Path, build: object) -> None:
    source = build(tmp_path / "m.onnx")  # type: ignore[operator]
    before = source.read_bytes()
    template = formats.read(source)
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / "n.onnx"
    formats.write(template, output, doubled(template))
    onnx.checker.check_model(output)
    written = formats.read(output)
    assert [(t.name, t.shape, t.dtype) for t in written.tensors] == [
        (t.name, t.shape, t.dtype) for t in template.tensors
    ]
    for a, b in zip(template.tensors, written.tensors, strict=True):
        np.testing.assert_array_equal(b.load(), (a.load() * 2).astype(a.load().dtype))
    assert [x.attributes for x in written.layers] == [x.attributes for x in template.layers]
    assert onnx.load(output).graph.node == onnx.load(source).graph.node
    assert source.read_bytes() == before
    assert sorted(p.name for p in output.parent.iterdir()) == ["n.onnx"], (
        "external data becomes part of the file"
    )


def test_only_the_given_tensor_changes(tmp_path: Path) -> None:
    template = formats.read(small(tmp_path / "m.onnx"))
    chosen = next(t for t in template.tensors if t.name == "bn.weight")
    formats.write(template, tmp_path / "n.onnx", [(chosen, np.zeros(4, np.float32))])
    old, new = (tmp_path / name for name in ("m.onnx", "n.onnx"))
    changed = [i for i, (a, b) in enumerate(zip(old.read_bytes(), new.read_bytes(), strict=True)) if a != b]
    assert max(changed) - min(changed) < 16
    assert not next(t for t in formats.read(new).tensors if t.name == "bn.weight").load().any()


def test_constants_in_nodes_are_written_too(tmp_path: Path) -> None:
    ops = [("Constant", [], ["w"], {"value": numpy_helper.from_array(W)}), ("MatMul", ["x", "w"], ["y"], {})]
    (tmp_path / "m.onnx").write_bytes(model(ops, {}, {"x": ["n", 4]}, {"y": ["n", 4]}).SerializeToString())
    template = formats.read(tmp_path / "m.onnx")
    formats.write(template, tmp_path / "n.onnx", doubled(template))
    np.testing.assert_array_equal(formats.read(tmp_path / "n.onnx").tensors[0].load(), W * 2)


def test_another_shape_is_a_bug_and_nothing_that_a_file_can_cause(tmp_path: Path) -> None:
    template = formats.read(small(tmp_path / "m.onnx"))
    with pytest.raises(AssertionError, match=r"conv\.weight"):
        formats.write(template, tmp_path / "n.onnx", [(template.tensors[0], np.zeros((2, 2), np.float32))])


def test_no_place_to_write(tmp_path: Path) -> None:
    template = formats.read(small(tmp_path / "m.onnx"))
    with pytest.raises(OutputError, match=r"n\.onnx"):
        formats.write(template, tmp_path / "absent" / "n.onnx", [])
