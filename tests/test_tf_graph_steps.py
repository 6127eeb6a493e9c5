"""Single operations of TensorFlow's graphs: what is cut, what is folded, what divides by zero."""

from pathlib import Path

import numpy as np
import pytest
from tensorflow_files import field
from test_formats_tf_graph import constant, graph, node, saved, shape_of

import weightbridge as wb

MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
CUTS = {  # the index, begins, ends, strides, the masks in their order, and the shape that is left
    "a new axis": ("x[:, None]", (0, 0), (0, 0), (1, 1), (1, 1, 0, 2, 0), (1, 6, 8)),
    "an ellipsis and a row": ("x[..., 2]", (0, 2), (0, 3), (1, 1), (0, 0, 1, 0, 2), (6,)),
    "an ellipsis and a new axis": ("x[..., None]", (0, 0), (0, 0), (1, 1), (0, 0, 1, 2, 0), (6, 8, 1)),
    "rows behind an ellipsis": ("x[..., 1:5]", (0, 1), (0, 5), (1, 1), (0, 0, 1, 0, 0), (6, 4)),
    "before and behind": (
        "x[:, None, ..., 3:]", (0, 0, 0, 3), (0, 0, 0, 0), (1, 1, 1, 1), (1, 9, 4, 2, 0), (1, 6, 5),
    ),
}  # fmt: skip


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, "<i4")


@pytest.mark.parametrize("name", CUTS)
def test_a_value_is_cut_with_new_axes_and_an_ellipsis(tmp_path: Path, name: str) -> None:
    _, begin, end, strides, masks, left = CUTS[name]
    told = {key: field(3, n) for key, n in zip(MASKS, masks, strict=True)}
    data = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(2, 6, 8)))
    numbers = [constant("b", whole(*begin)), constant("e", whole(*end)), constant("s", whole(*strides))]
    path = saved(
        tmp_path / "m.pb", graph(data, *numbers, node("y", "StridedSlice", "x", "b", "e", "s", **told))
    )
    read = wb.read(path)
    assert "Opaque" not in {layer.op for layer in read.layers}
    assert read.by_name[read.outputs[0]].output_shape == left


def test_floats_that_follow_from_integers_are_one_tensor(tmp_path: Path) -> None:
    lengths = np.arange(1, 9, dtype="<i4")
    data = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(2, 8)))
    steps = node("float", "Cast", "n", DstT=field(6, 1)), node("root", "Sqrt", "float")
    path = saved(
        tmp_path / "m.pb", graph(data, constant("n", lengths), *steps, node("y", "Mul", "x", "root"))
    )
    (tensor,) = wb.read(path).tensors
    assert (tensor.name, tensor.shape) == ("root", (8,))
    assert np.array_equal(tensor.load(), np.sqrt(lengths.astype("<f4")))


def test_floats_that_the_file_holds_stay_as_they_are(tmp_path: Path) -> None:
    data = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(2, 8)))
    scale = constant("scale", np.arange(8, dtype="<f4"))
    path = saved(
        tmp_path / "m.pb", graph(data, scale, node("root", "Sqrt", "scale"), node("y", "Mul", "x", "root"))
    )
    assert [t.name for t in wb.read(path).tensors] == ["scale"]


def test_a_saved_model_with_a_class_of_its_own_is_read_by_its_signature(
    shared_models: Path, tmp_path: Path
) -> None:
    real = shared_models / "P09_basic_pitch" / "nmp"
    report = wb.convert(real, tmp_path / "m.keras", verify=False)
    assert report.coverage.fraction == 1.0
    assert [f.severity for f in report.findings if "FlattenAudioCh" in f.message] == ["note"]
    assert wb.inspect(real).source.layers > 20  # whose names are Keras's still


def test_a_signature_that_tells_nothing_is_said(tmp_path: Path) -> None:
    from weightbridge.commands.stages.signatures import without_code
    from weightbridge.errors.diagnostics import finding
    from weightbridge.model.graph import LayerGraph

    (tmp_path / "saved_model.pb").write_bytes(field(2, field(1, b"")))
    told = finding("WB104", "the class Mine is none of Keras's own: mine", fix="")
    graph_of_keras = LayerGraph(str(tmp_path), "saved-model", "keras", findings=(told,))
    (said,) = without_code(graph_of_keras).findings
    assert "nor can the graph of its signature be read: a SavedModel without a graph" in said.message


@pytest.mark.parametrize(("op", "shape"), [("DepthToSpace", (12, 16, 2)), ("SpaceToDepth", (3, 4, 32))])
def test_blocks_change_places(tmp_path: Path, op: str, shape: tuple[int, ...]) -> None:
    data = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(2, 6, 8, 8)))
    path = saved(tmp_path / "m.pb", graph(data, node("y", op, "x", block_size=field(3, 2))))
    read = wb.read(path)
    assert op in {layer.class_name for layer in read.layers}
    report = wb.convert(path, tmp_path / "m.keras", verify=False)
    assert report.target is not None
    (output,) = wb.read(tmp_path / "m.keras").outputs
    assert wb.read(tmp_path / "m.keras").by_name[output].output_shape == shape


def test_a_constant_of_no_numbers_is_empty(tmp_path: Path) -> None:
    data = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(2, 8)))
    path = saved(tmp_path / "m.pb", graph(data, constant("n", whole()), node("y", "Mystery", "x", "n")))
    assert {layer.class_name for layer in wb.read(path).layers} >= {"Mystery"}


def _switched(flag: bytes, name: str = "flag") -> bytes:
    """What is doubled in training and stays otherwise: a Switch of TensorFlow 1 and the Merge behind it."""
    data = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(2, 8)))
    parted = node("parted", "Switch", "x", name)
    doubled = node("doubled", "Add", "parted:1", "parted:1")
    pivot = node("pivot", "Identity", name)
    kept = node("kept", "Tanh", "parted", "^pivot")
    return graph(flag, data, parted, doubled, pivot, kept, node("y", "Merge", "kept", "doubled"))


def _flag(is_true: bool) -> bytes:
    value = field(1, 10) + field(2, b"") + field(11, int(is_true))
    return node("flag", "Const", value=field(8, value), dtype=field(6, 10))


def test_a_branch_that_never_runs_is_left_out(tmp_path: Path) -> None:
    plain = wb.read(saved(tmp_path / "a.pb", _switched(_flag(is_true=False))))
    assert [layer.op for layer in plain.layers] == ["Input", "Activation"]
    training = wb.read(saved(tmp_path / "b.pb", _switched(_flag(is_true=True))))
    assert [layer.op for layer in training.layers] == ["Input", "Add"]
    assert not [f for f in (*plain.findings, *training.findings) if f.code == "WB108"]


def test_a_flag_of_training_is_said_to_be_false(tmp_path: Path) -> None:
    flag = node("is_training", "Placeholder", dtype=field(6, 10))
    read = wb.read(saved(tmp_path / "m.pb", _switched(flag, "is_training")))
    assert [layer.op for layer in read.layers] == ["Input", "Activation"]
    assert ["is_training is False" in f.message for f in read.findings] == [True]


def test_a_branch_by_any_other_input_stays(tmp_path: Path) -> None:
    flag = node("which", "Placeholder", dtype=field(6, 10))
    read = wb.read(saved(tmp_path / "m.pb", _switched(flag, "which")))
    assert {"Switch", "Merge"} <= {layer.class_name for layer in read.layers}


@pytest.mark.parametrize("least", [0.0, 0.5])
def test_dropout_that_keeps_everything_is_none(tmp_path: Path, least: float) -> None:
    data = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(2, 8)))
    numbers = constant("least", np.array(least, "<f4")), constant("nothing", np.array(0, "<f4"))
    chance = node("shape", "Shape", "x"), node("chance", "RandomUniform", "shape")
    chosen = node("asked", "GreaterEqual", "chance", "least"), node("y", "SelectV2", "asked", "x", "nothing")
    read = wb.read(saved(tmp_path / "m.pb", graph(data, *numbers, *chance, *chosen)))
    assert ("RandomUniform" in {layer.class_name for layer in read.layers}) == (least > 0)
