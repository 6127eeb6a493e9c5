"""Quantised weights of ONNX: their values are the floats that the graph makes of them, and codes are never
taken for values.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats
from weightbridge.errors import Unsupported

CODES = np.random.default_rng(0).integers(-100, 100, (4, 3)).astype("i1")
ROWS, COLUMNS, ONE = values((4,), 1), values((3,), 2), np.float32(0.25)
SCALES: dict[
    str, tuple[np.ndarray, np.ndarray | None, int, np.ndarray]
] = {  # scale, zero point, axis, the floats
    "one scale": (ONE, None, 1, CODES * ONE),
    "and a zero point": (ONE, np.int8(3), 1, (CODES.astype("f4") - 3) * ONE),
    "by rows": (ROWS, np.zeros(4, "i1"), 0, CODES * ROWS[:, None]),
    "by columns": (COLUMNS, np.arange(3).astype("i1"), -1, (CODES.astype("f4") - np.arange(3)) * COLUMNS),
}


def quantised(path: Path, scale: np.ndarray, zero: np.ndarray | None, axis: int) -> Path:
    given = {"w": CODES, "s": np.asarray(scale)} | ({} if zero is None else {"z": np.asarray(zero)})
    ops: list[Op] = [
        ("DequantizeLinear", list(given), ["f"], {"axis": axis}),
        ("MatMul", ["x", "f"], ["y"], {}),
    ]
    return saved(path, ops, given, {"x": ["n", 4]}, ["y"])


def plain(path: Path) -> Path:
    return saved(
        path, [("MatMul", ["x", "v"], ["y"], {})], {"v": np.zeros((4, 3), "f4")}, {"x": ["n", 4]}, ["y"]
    )


@pytest.mark.parametrize(("scale", "zero", "axis", "floats"), SCALES.values(), ids=SCALES)
def test_floats_arrive(
    tmp_path: Path, scale: np.ndarray, zero: np.ndarray | None, axis: int, floats: np.ndarray
) -> None:
    source = quantised(tmp_path / "s.onnx", scale, zero, axis)
    (tensor,) = formats.read(source).tensors
    assert (tensor.dtype, tensor.role) == ("float32", "kernel")
    wb.transfer(source, plain(tmp_path / "t.onnx"), output=tmp_path / "o.onnx", verify=False)
    (written,) = formats.read(tmp_path / "o.onnx").tensors
    assert np.allclose(written.load(), floats)
    (step,) = wb.check(source, tmp_path / "t.onnx").plan.steps
    assert (step.transform, step.contract, step.parameters["scale"]) == ("dequantised", "preserving", "s")


def test_a_plan_with_quantised_sources_can_be_kept(tmp_path: Path) -> None:
    source = quantised(tmp_path / "s.onnx", *SCALES["by columns"][:3])
    target = plain(tmp_path / "t.onnx")
    wb.plan(source, target).save(tmp_path / "p.json")
    wb.transfer(source, target, output=tmp_path / "o.onnx", plan=tmp_path / "p.json", verify=False)
    (written,) = formats.read(tmp_path / "o.onnx").tensors
    assert np.allclose(written.load(), SCALES["by columns"][3])


def test_scales_that_fit_no_axis_are_not_guessed(tmp_path: Path) -> None:
    graph = formats.read(quantised(tmp_path / "s.onnx", values((2,), 1), None, 0))
    assert [x.op for x in graph.layers if x.tensors] != ["Dense"]


def test_codes_are_never_taken_for_values(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], {}),
        ("MatMulInteger", ["q", "w", "z"], ["y"], {}),
    ]
    source = saved(tmp_path / "s.onnx", ops, {"w": CODES}, {"x": ["n", 4]}, ["y"])
    made = wb.check(source, plain(tmp_path / "t.onnx"))
    assert not any(s.sources for s in made.plan.steps)
    assert [f.severity for f in made.findings if f.code == "WB109"] == ["error"]


DYNAMIC: Op = ("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"], {})
STATIC: Op = ("QuantizeLinear", ["x", "ds", "dz"], ["q"], {})
TO_FLOATS: Op = ("DequantizeLinear", ["i", "ys", "yz"], ["y"], {})
DATA = {"ds": np.float32(0.05), "dz": np.uint8(3), "ys": np.float32(0.5), "yz": np.uint8(9)}
KERNEL = np.random.default_rng(1).integers(-100, 100, (5, 2, 3, 3)).astype("i1")
FIVE = values((5,), 3)
LINEAR = ["q", "ds", "dz", "w", "s", "z", "ys", "yz"]
OPERATORS: dict[str, tuple[list[Op], dict[str, np.ndarray], np.ndarray]] = {  # steps, tensors, the floats
    "MatMulInteger": (
        [
            DYNAMIC,
            ("MatMulInteger", ["q", "w", "xz", "z"], ["i"], {}),
            ("Cast", ["i"], ["c"], {"to": 1}),
            ("Mul", ["s", "xs"], ["f"], {}),
            ("Mul", ["c", "f"], ["y"], {}),
        ],
        {"w": (CODES.astype("i4") + 110).astype("u1"), "s": COLUMNS, "z": np.full(3, 110, "u1")},
        CODES * COLUMNS,
    ),
    "MatMulInteger, scales one after another": (
        [
            DYNAMIC,
            ("MatMulInteger", ["q", "w", "xz"], ["i"], {}),
            ("Cast", ["i"], ["c"], {"to": 1}),
            ("Mul", ["c", "xs"], ["f"], {}),
            ("Mul", ["f", "s"], ["y"], {}),
        ],
        {"w": CODES, "s": np.asarray(ONE)},
        CODES * ONE,
    ),
    "ConvInteger": (
        [
            DYNAMIC,
            ("ConvInteger", ["q", "w", "xz", "z"], ["i"], {}),
            ("Cast", ["i"], ["c"], {"to": 1}),
            ("Mul", ["xs", "s"], ["f"], {}),
            ("Mul", ["c", "f"], ["y"], {}),
        ],
        {"w": KERNEL, "s": FIVE.reshape(5, 1, 1), "z": np.int8(2)},
        (KERNEL.astype("f4") - 2) * FIVE.reshape(5, 1, 1, 1),
    ),
    "QLinearConv": (
        [STATIC, ("QLinearConv", LINEAR, ["i"], {}), TO_FLOATS],
        {**DATA, "w": KERNEL, "s": FIVE, "z": np.zeros(5, "i1")},
        KERNEL * FIVE.reshape(5, 1, 1, 1),
    ),
    "QLinearMatMul": (
        [STATIC, ("QLinearMatMul", LINEAR, ["i"], {}), TO_FLOATS],
        {**DATA, "w": CODES, "s": COLUMNS, "z": np.zeros(3, "i1")},
        CODES * COLUMNS,
    ),
    "Gather": (
        [
            ("Cast", ["x"], ["j"], {"to": 7}),
            ("Gather", ["w", "j"], ["i"], {}),
            ("DequantizeLinear", ["i", "s", "z"], ["y"], {}),
        ],
        {"w": CODES, "s": np.asarray(ONE), "z": np.int8(1)},
        (CODES.astype("f4") - 1) * ONE,
    ),
    "DequantizeLinear by blocks": (
        [
            ("DequantizeLinear", ["w", "s"], ["f"], {"axis": 0, "block_size": 2}),
            ("MatMul", ["x", "f"], ["y"], {}),
        ],
        {"w": CODES, "s": values((2, 3), 4)},
        CODES * np.repeat(values((2, 3), 4), 2, axis=0),
    ),
}


@pytest.mark.parametrize(("ops", "given", "floats"), OPERATORS.values(), ids=OPERATORS)
def test_quantised_operators_have_floats(
    tmp_path: Path, ops: list[Op], given: dict[str, np.ndarray], floats: np.ndarray
) -> None:
    rank = {2: ["n", 4], 4: ["n", 2, 6, 6]}[floats.ndim]
    path = saved(tmp_path / "s.onnx", ops, given, {"x": rank}, ["y"], opset=21)
    graph = formats.read(path)
    (tensor,) = graph.tensors
    assert (tensor.name, tensor.dtype) == ("w", "float32")
    assert graph.owner["w"].op in ("Dense", "Conv", "Embedding")
    assert np.allclose(tensor.load(), floats)
    assert [(f.code, f.severity) for f in graph.findings] == [("WB109", "warning")]


def test_the_bias_has_the_scales_of_data_and_kernel(tmp_path: Path) -> None:
    given = {**DATA, "w": KERNEL, "s": FIVE, "z": np.zeros(5, "i1"), "b": np.arange(5).astype("i4")}
    ops = [STATIC, ("QLinearConv", [*LINEAR, "b"], ["i"], {}), TO_FLOATS]
    graph = formats.read(saved(tmp_path / "s.onnx", ops, given, {"x": ["n", 2, 6, 6]}, ["y"]))
    bias = graph.tensor_by_name["b"]
    assert bias.role == "bias"
    assert np.allclose(bias.load(), np.arange(5) * FIVE * np.float32(0.05))


def test_a_scale_along_another_axis_is_no_scale_of_the_kernel(tmp_path: Path) -> None:
    ops, given, _ = OPERATORS["ConvInteger"]
    path = saved(tmp_path / "s.onnx", ops, {**given, "s": values((4,))}, {"x": ["n", 2, 6, 6]}, ["y"])
    graph = formats.read(path)
    assert graph.owner["w"].op == "Opaque"
    assert [f.severity for f in graph.findings if f.code == "WB109"] == ["error"]


def test_a_table_of_bytes_is_no_weight(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("Cast", ["x"], ["j"], {"to": 7}),
        ("Gather", ["w", "j"], ["i"], {}),
        ("Cast", ["i"], ["y"], {"to": 1}),
    ]
    graph = formats.read(saved(tmp_path / "s.onnx", ops, {"w": CODES}, {"x": ["n", 4]}, ["y"]))
    assert not graph.tensors
    assert not graph.findings
    assert [(e.name, e.reason) for e in graph.excluded] == [("w", "state")]


def test_quantised_weights_are_not_written(tmp_path: Path) -> None:
    source = saved(
        tmp_path / "s.onnx",
        [("MatMul", ["x", "v"], ["y"], {})],
        {"v": values((4, 3))},
        {"x": ["n", 4]},
        ["y"],
    )
    with pytest.raises(Unsupported, match="quantised weights are read, not written"):
        wb.transfer(
            source, quantised(tmp_path / "t.onnx", ONE, None, 1), output=tmp_path / "o.onnx", verify=False
        )
    assert not (tmp_path / "o.onnx").exists()


@pytest.mark.parametrize("at", range(2, 5))
def test_steps_without_outputs_are_no_chain(tmp_path: Path, at: int) -> None:
    ops, given, _ = OPERATORS["MatMulInteger"]
    path = saved(tmp_path / "s.onnx", ops, given, {"x": ["n", 4]}, ["y"])
    proto = onnx.load(path)
    del proto.graph.node[at].output[:]
    for node in proto.graph.node[at + 1 :]:
        node.input[:] = ["x", "x"][: len(node.input)]
    onnx.save(proto, path)
    assert [f.severity for f in formats.read(path).findings if f.code == "WB109"] == ["error"]


def test_rows_of_a_table_go_into_a_product(tmp_path: Path) -> None:
    """As onnxruntime quantises an embedding before a dense layer."""
    ops: list[Op] = [
        ("Mul", ["e_scale", "s"], ["f"], {}),
        ("Cast", ["x"], ["j"], {"to": 7}),
        ("Gather", ["e_quantized", "j"], ["g"], {}),
        ("MatMulInteger", ["g", "w", "e_zero_point", "z"], ["i"], {}),
        ("Cast", ["i"], ["c"], {"to": 1}),
        ("Mul", ["c", "f"], ["y"], {}),
    ]
    table = np.random.default_rng(3).integers(0, 255, (9, 4)).astype("u1")
    given = {"e_quantized": table, "e_scale": np.float32(0.1), "e_zero_point": np.uint8(7)}
    given |= {"w": CODES, "s": np.asarray(ONE), "z": np.int8(0)}
    graph = formats.read(saved(tmp_path / "s.onnx", ops, given, {"x": ["n", 5]}, ["y"]))
    assert [x.op for x in graph.layers if x.tensors] == ["Embedding", "Dense"]
    floats = {t.name: t.load() for t in graph.tensors}
    assert np.allclose(floats["e_quantized"], (table.astype("f4") - 7) * np.float32(0.1))
    assert np.allclose(floats["w"], CODES * ONE)


def claim(source: Path, folder: Path, **options: bool) -> tuple[list[tuple[str, str]], str]:
    report = wb.transfer(source, plain(folder / "t.onnx"), output=folder / "o.onnx", verify=False, **options)
    return [(f.code, f.severity) for f in report.findings], str(report.verification.evidence["claim"])


def test_floats_are_taken_on_request(tmp_path: Path) -> None:
    """--dequantize: no quantised source any more, but what it has lost."""
    source = quantised(tmp_path / "s.onnx", *SCALES["by rows"][:3])
    assert claim(source, tmp_path) == ([("WB109", "warning")], "equal")
    (tmp_path / "o.onnx").unlink()
    assert claim(source, tmp_path, dequantize=True) == ([("WB302", "warning")], "equal")
    (said,) = wb.check(source, tmp_path / "t.onnx", dequantize=True).findings
    assert "what quantising rounded off is lost" in said.message
    wb.plan(source, tmp_path / "t.onnx").save(tmp_path / "p.json")
    stored = wb.check(source, tmp_path / "t.onnx", plan=tmp_path / "p.json", dequantize=True)
    assert [f.code for f in stored.findings] == ["WB302"]


@pytest.mark.parametrize("dequantize", [False, True])
def test_a_source_that_rounds_its_data_is_not_called_equal(tmp_path: Path, dequantize: bool) -> None:
    ops, given, _ = OPERATORS["MatMulInteger"]
    source = saved(tmp_path / "s.onnx", ops, given, {"x": ["n", 4]}, ["y"])
    codes, said = claim(source, tmp_path, dequantize=dequantize)
    assert codes[0] == ("WB302" if dequantize else "WB109", "warning")
    assert {severity for _, severity in codes[1:]} <= {"note"}
    assert said == "the source rounds its activations at v, the target does not"


def test_unknown_scales_stay_an_error_on_request(tmp_path: Path) -> None:
    ops: list[Op] = [DYNAMIC, ("MatMulInteger", ["q", "w", "xz"], ["y"], {})]
    source = saved(tmp_path / "s.onnx", ops, {"w": CODES}, {"x": ["n", 4]}, ["y"])
    made = wb.check(source, plain(tmp_path / "t.onnx"), dequantize=True)
    assert [f.severity for f in made.findings if f.code == "WB109"] == ["error"]


def test_floats_on_request_are_said_of_no_plain_model(tmp_path: Path) -> None:
    assert wb.check(plain(tmp_path / "s.onnx"), plain(tmp_path / "t.onnx"), dequantize=True).findings == ()


CUT = ("relu", {"max_value": 127.5})  # 255 steps of a half


@pytest.mark.parametrize(
    ("op", "zero", "activations"),
    [
        ("Neg", np.uint8(0), [CUT]),
        ("Neg", np.int8(-128), [CUT]),
        ("Neg", np.uint8(1), []),
        ("Neg", np.int8(0), []),
        ("Relu", np.uint8(0), ["relu"]),
        ("", np.uint8(0), []),
    ],
)
def test_the_activation_that_quantising_took_out(
    op: str, zero: np.generic, activations: list[object], tmp_path: Path
) -> None:
    """Numbers from zero on cut off what is less, unless nothing is; a model's own input stays as it is."""
    before: list[Op] = [(op, ["x"], ["a"], {})] if op else []
    ops: list[Op] = [
        *before,
        ("QuantizeLinear", ["a" if op else "x", "s", "z"], ["q"], {}),
        ("DequantizeLinear", ["q", "s", "z"], ["f"], {}),
        ("MatMul", ["f", "w"], ["y"], {}),
    ]
    given = {"s": np.float32(0.5), "z": np.asarray(zero), "w": np.ones((4, 3), "f4")}
    source = saved(tmp_path / "s.onnx", ops, given, {"x": ["n", 4]}, ["y"])
    found = [layer.attributes.get("activation") for layer in formats.read(source).layers]
    assert [one for one in found if one is not None] == activations
