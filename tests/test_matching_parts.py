"""Fused layers of ONNX (query-key-value, gate-up) into layers that are apart.

The parts are told by where the graph takes them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats
from weightbridge.matching.units.reduce import reduce, reduce_both

WIDTH, HEADS = 4, 2
KERNEL, BIAS = values((WIDTH, 12), 1), values((12,), 2)
SHAPES = {"by_part": [0, -1, 3, HEADS, 2], "by_head": [0, -1, HEADS, 6]}
NUMBERS = {
    "four": np.array([0, -1, WIDTH]), "sizes": np.array([4, 4, 4]),
    **{k: np.array(v) for k, v in SHAPES.items()},
    "heads": np.array([0, -1, HEADS, 2]), "last": np.array([-1]),
    "zero": np.array(0), "one": np.array(1), "two": np.array(2),
    **{f"at{n}": np.array([n]) for n in (0, 4, 8, 12)},
}  # fmt: skip


def heads(name: str) -> list[Op]:
    return [
        ("Reshape", [name, "heads"], [f"{name}h"], {}),
        ("Transpose", [f"{name}h"], [f"{name}t"], {"perm": [0, 2, 1, 3]}),
    ]


def attention(q: str, k: str, v: str) -> list[Op]:
    """Of values that hold one head after the other as axis 1."""
    return [
        ("Transpose", [k], ["kk"], {"perm": [0, 1, 3, 2]}),
        ("MatMul", [q, "kk"], ["scores"], {}),
        ("Softmax", ["scores"], ["p"], {"axis": -1}),
        ("MatMul", ["p", v], ["mixed"], {}),
        ("Transpose", ["mixed"], ["turned"], {"perm": [0, 2, 1, 3]}),
        ("Reshape", ["turned", "four"], ["joined"], {}),
        ("MatMul", ["joined", "out"], ["y"], {}),
    ]


FUSED: list[Op] = [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["m", "b"], ["f"], {})]
GATHERED: list[Op] = [
    ("Reshape", ["f", "by_part"], ["r"], {}),
    ("Transpose", ["r"], ["t"], {"perm": [2, 0, 3, 1, 4]}),
    *[("Gather", ["t", n], [v], {"axis": 0}) for n, v in (("zero", "q"), ("one", "k"), ("two", "v"))],
]
SLICED: list[Op] = [
    ("Slice", ["f", f"at{n}", f"at{n + 4}", "last"], [v], {}) for n, v in ((0, "q"), (4, "k"), (8, "v"))
]
SPLIT: list[Op] = [("Split", ["f", "sizes"], ["q", "k", "v"], {"axis": -1})]
INTERLEAVED: list[Op] = [
    ("Reshape", ["f", "by_head"], ["r"], {}),
    ("Transpose", ["r"], ["t"], {"perm": [0, 2, 1, 3]}),
    ("Split", ["t"], ["q", "k", "v"], {"axis": -1}),
]
IN_HEADS = [op for v in "qkv" for op in heads(v)]
PLAIN = attention("qt", "kt", "vt")
THIRDS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
SPLITS: dict[str, tuple[list[Op], list[list[int]]]] = {  # and which columns are query, key and value
    "reshape, transpose, gather": ([*GATHERED, *attention("q", "k", "v")], THIRDS),
    "slice": ([*SLICED, *IN_HEADS, *PLAIN], THIRDS),
    "split": ([*SPLIT, *IN_HEADS, *PLAIN], THIRDS),
    "value first": ([*SPLIT, *IN_HEADS, *attention("kt", "vt", "qt")], [THIRDS[1], THIRDS[2], THIRDS[0]]),
    "head by head": ([*INTERLEAVED, *attention("q", "k", "v")], [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]),
}
APART: list[Op] = [
    op
    for v in ("v", "k", "q")  # in another order than they are used
    for op in [("MatMul", ["x", f"w{v}"], [f"{v}m"], {}), ("Add", [f"{v}m", f"b{v}"], [v], {}), *heads(v)]
]


def fused(path: Path, ops: list[Op], **tensors: Any) -> Path:
    return saved(
        path,
        [*FUSED, *ops],
        {"w": KERNEL, "b": BIAS, "out": values((4, 4), 3), **NUMBERS, **tensors},
        {"x": ["n", 5, WIDTH]},
        ["y"],
    )


def apart(path: Path) -> Path:
    zeros = {f"w{v}": np.zeros((4, 4), "f4") for v in "qkv"} | {f"b{v}": np.zeros(4, "f4") for v in "qkv"}
    return saved(
        path,
        [*APART, *attention("qt", "kt", "vt")],
        {**zeros, "out": values((4, 4), 4), **NUMBERS},
        {"x": ["n", 5, WIDTH]},
        ["y"],
    )


@pytest.mark.parametrize(("ops", "columns"), SPLITS.values(), ids=SPLITS)
def test_each_part_goes_where_the_target_uses_it(
    tmp_path: Path, ops: list[Op], columns: list[list[int]]
) -> None:
    made = wb.transfer(
        fused(tmp_path / "s.onnx", ops), apart(tmp_path / "t.onnx"), output=tmp_path / "o.onnx", verify=False
    )
    found = {t.name: t.load() for t in formats.read(tmp_path / "o.onnx").tensors}
    for name, taken in zip("qkv", columns, strict=True):
        assert np.array_equal(found[f"w{name}"], KERNEL[:, taken])
        assert np.array_equal(found[f"b{name}"], BIAS[taken])
    assert all(s.confidence >= 0.99 for s in made.plan.steps)


def test_two_fused_layers_stay_whole(tmp_path: Path) -> None:
    ops, _ = SPLITS["split"]
    wb.transfer(
        fused(tmp_path / "s.onnx", ops),
        fused(tmp_path / "t.onnx", ops, w=KERNEL * 0),
        output=tmp_path / "o.onnx",
        verify=False,
    )
    assert np.array_equal({t.name: t.load() for t in formats.read(tmp_path / "o.onnx").tensors}["w"], KERNEL)


COMPUTED: list[Op] = [  # torch's chunk, where the length is read off the value itself
    ("Shape", ["f"], ["s"], {}),
    ("Gather", ["s", "two"], ["n"], {"axis": 0}),
    ("Div", ["n", "three"], ["third"], {}),
    ("Mul", ["third", "two"], ["most"], {}),
    ("Unsqueeze", ["third", "at0"], ["one_part"], {}),
    ("Unsqueeze", ["most", "at0"], ["two_parts"], {}),
    ("Slice", ["f", "at0", "one_part", "last"], ["q"], {}),
    ("Slice", ["f", "one_part", "two_parts", "last"], ["k"], {}),
    ("Slice", ["f", "two_parts", "at12", "last"], ["v"], {}),
]


def test_bounds_that_the_graph_computes_are_known(tmp_path: Path) -> None:
    graph = formats.read(fused(tmp_path / "s.onnx", [*COMPUTED, *IN_HEADS, *PLAIN], three=np.array(3)))
    (layer,) = (x for x in graph.layers if "parts" in x.attributes)
    assert [(p["start"], p["stop"]) for p in layer.attributes["parts"]] == [(0, 4), (4, 8), (8, 12)]


GATED: list[Op] = [
    ("Split", ["f"], ["g", "u"], {"axis": -1}),
    ("Tanh", ["g"], ["t"], {}),
    ("Sigmoid", ["u"], ["i"], {}),
    ("Mul", ["t", "i"], ["y"], {}),
]
GATES: list[Op] = [
    ("MatMul", ["x", "wu"], ["u"], {}),
    ("Sigmoid", ["u"], ["i"], {}),
    ("MatMul", ["x", "wg"], ["g"], {}),
    ("Tanh", ["g"], ["t"], {}),
    ("Mul", ["i", "t"], ["y"], {}),
]


def test_parts_are_told_apart_by_what_follows_them(tmp_path: Path) -> None:
    """Both sides of a product: no order tells them, their activations do."""
    source = saved(
        tmp_path / "s.onnx",
        [("MatMul", ["x", "w"], ["f"], {}), *GATED],
        {"w": KERNEL},
        {"x": ["n", 5, WIDTH]},
        ["y"],
    )
    zeros = {"wu": np.zeros((4, 6), "f4"), "wg": np.zeros((4, 6), "f4")}
    wb.transfer(
        source,
        saved(tmp_path / "t.onnx", GATES, zeros, {"x": ["n", 5, WIDTH]}, ["y"]),
        output=tmp_path / "o.onnx",
        verify=False,
    )
    found = {t.name: t.load() for t in formats.read(tmp_path / "o.onnx").tensors}
    assert np.array_equal(found["wg"], KERNEL[:, :6])
    assert np.array_equal(found["wu"], KERNEL[:, 6:])


WHOLE: dict[str, list[Op]] = {
    "something reads all of it": [*SPLIT, ("Relu", ["f"], ["y"], {})],
    "a part is missing": [("Slice", ["f", "at0", "at4", "last"], ["q"], {}),
        ("Slice", ["f", "at8", "at12", "last"], ["y"], {})],
    "the parts overlap": [("Slice", ["f", "at0", "at8", "last"], ["q"], {}),
        ("Slice", ["f", "at4", "at12", "last"], ["y"], {})],
    "rows are cut, not features": [("Split", ["f"], ["q", "y"], {"axis": 0})],
}  # fmt: skip


@pytest.mark.parametrize("ops", WHOLE.values(), ids=WHOLE)
def test_what_is_not_cut_into_its_parts_is_whole(tmp_path: Path, ops: list[Op]) -> None:
    graph = formats.read(fused(tmp_path / "s.onnx", ops))
    assert not any("parts" in layer.attributes for layer in graph.layers)


def test_grouped_queries_have_parts_of_parts(tmp_path: Path) -> None:
    """Query, then key and value in one, which are cut again."""
    ops: list[Op] = [
        ("Split", ["f", "uneven"], ["q", "kv"], {"axis": -1}),
        ("Split", ["kv", "halves"], ["k", "v"], {"axis": -1}),
        ("Add", ["q", "x"], ["y"], {}),
    ]
    graph = formats.read(fused(tmp_path / "s.onnx", ops, uneven=np.array([4, 8]), halves=np.array([4, 4])))
    (layer,) = (x for x in graph.layers if "parts" in x.attributes)
    first, second = layer.attributes["parts"]
    assert (first["start"], first["stop"]) == (0, 4)
    assert [(p["start"], p["stop"]) for p in second["parts"]] == [(4, 8), (8, 12)]


def test_an_attention_is_one_unit_fed_by_query_key_and_value(tmp_path: Path) -> None:
    reduced = reduce(formats.read(apart(tmp_path / "t.onnx")))
    assert [reduced.parents[u.name] for u in reduced.units if u.family == "Attention"] == [("qm", "km", "vm")]


@pytest.mark.parametrize(
    ("case", "functions"), [("split", ["query", "key", "value"]), ("value first", ["value", "query", "key"])]
)
def test_parts_know_what_they_are_for(tmp_path: Path, case: str, functions: list[str]) -> None:
    source, _ = reduce_both(
        formats.read(fused(tmp_path / "s.onnx", SPLITS[case][0])), formats.read(apart(tmp_path / "t.onnx"))
    )
    assert [u.function for u in source.units if u.part] == functions


def test_two_products_without_a_softmax_are_no_attention(tmp_path: Path) -> None:
    ops = [("Relu", i, o, {}) if op == "Softmax" else (op, i, o, a) for op, i, o, a in SPLITS["split"][0]]
    assert not any(
        u.family == "Attention" for u in reduce(formats.read(fused(tmp_path / "s.onnx", ops))).units
    )
