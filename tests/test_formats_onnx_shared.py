"""Initializers that several layers of an ONNX file read: each layer can be given its own."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_samples import Op, saved, values

import weightbridge as wb

ONES, ZEROS = np.ones(4, "f4"), np.zeros(4, "f4")
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def norms(path: Path, merged: bool, through: str = "", seed: int = 0) -> Path:
    """Two convolutions with norms. through: what stands between an initializer and its second reader."""
    tensors = {f"c{i}.w": values((4, 4, 1, 1), seed + i) for i in (1, 2)}
    ops: list[Op] = []
    if merged:
        tensors |= {"ones": ONES, "zeros": ZEROS}
    if through:
        ops += [(through, [name], [f"second.{name}"], {}) for name in ("ones", "zeros")]
    before = "x"
    for i in (1, 2):
        own = [f"n{i}.{role}" for role in NORM]
        prefix = "second." if through and i == 2 else ""
        shared = [f"{prefix}{name}" for name in ("ones", "zeros", "zeros", "ones")]
        if not merged:
            tensors |= {name: values((4,), seed + 10 * i + k) for k, name in enumerate(own)}
        ops.append(("Conv", [before, f"c{i}.w"], [f"a{i}"], {}))
        read = shared if merged else own
        ops.append(("BatchNormalization", [f"a{i}", *read], [f"b{i}"], {"epsilon": 1e-3}))
        ops.append(("Relu", [f"b{i}"], [f"r{i}"], {}))
        before = f"r{i}"
    return saved(path, ops, tensors, {"x": ["n", 4, 3, 3]}, {"r2": ["n", 4, 3, 3]})


def dense(path: Path, tied: bool, seed: int = 0) -> Path:
    names = {1: "w", 2: "w" if tied else "v"}
    tensors = {name: values((4, 4), seed + i) for i, name in names.items()} | {"o": values((4, 2), seed + 9)}
    ops: list[Op] = [
        ("MatMul", ["x", names[1]], ["a"], {}),
        ("Tanh", ["a"], ["t"], {}),
        ("MatMul", ["t", names[2]], ["b"], {}),
        ("Tanh", ["b"], ["s"], {}),
        ("MatMul", ["s", "o"], ["y"], {}),
    ]
    return saved(path, ops, tensors, {"x": ["n", 4]}, {"y": ["n", 2]})


@pytest.mark.framework
@pytest.mark.parametrize("through", ["", "Identity"])
def test_merged_vectors_of_a_target_are_written_apart(tmp_path: Path, through: str) -> None:
    source = norms(tmp_path / "s.onnx", merged=False)
    target = norms(tmp_path / "t.onnx", True, through, seed=5)
    report = wb.transfer(source, target, output=tmp_path / "o.onnx")
    assert (report.verdict, report.verification.mode) == ("pass", "actual")
    assert [(f.code, f.severity) for f in report.findings if f.code == "WB211"] == [("WB211", "note")]
    onnx.checker.check_model(onnx.load(tmp_path / "o.onnx"))
    written = wb.read(tmp_path / "o.onnx")
    given = [t.load() for layer in wb.read(source).layers for t in layer.tensors]
    got = [t.load() for layer in written.layers for t in layer.tensors]
    assert all(np.array_equal(a, b) for a, b in zip(given, got, strict=True))


def test_merged_vectors_of_a_source_arrive_in_every_layer(tmp_path: Path) -> None:
    source = norms(tmp_path / "s.onnx", merged=True)
    target = norms(tmp_path / "t.onnx", merged=False, seed=5)
    report = wb.transfer(source, target, output=tmp_path / "o.onnx", verify=False)
    assert not [f for f in report.findings if f.code in ("WB202", "WB208", "WB211")]
    found = {t.name: t.load() for t in wb.read(tmp_path / "o.onnx").tensors}
    for i in (1, 2):
        assert np.array_equal(found[f"n{i}.gamma"], ONES)
        assert np.array_equal(found[f"n{i}.moving_mean"], ZEROS)


def test_merged_on_both_sides_is_no_finding_of_the_source(tmp_path: Path) -> None:
    paths = [norms(tmp_path / name, True, seed=seed) for name, seed in (("s.onnx", 0), ("t.onnx", 5))]
    report = wb.transfer(*paths, output=tmp_path / "o.onnx", verify=False)
    assert report.exit_code == 0
    assert report.coverage.fraction == 1.0


@pytest.mark.framework
def test_a_layer_that_is_called_again_gets_its_own_where_the_source_has_one(tmp_path: Path) -> None:
    source, target = dense(tmp_path / "s.onnx", tied=False), dense(tmp_path / "t.onnx", True, 5)
    report = wb.transfer(source, target, output=tmp_path / "o.onnx")
    assert (report.verdict, report.verification.mode) == ("warn", "actual")
    assert [f.code for f in report.findings if f.severity == "warning"] == ["WB211"]
    onnx.checker.check_model(onnx.load(tmp_path / "o.onnx"))
    plan = wb.plan(source, target)
    again = wb.transfer(source, target, output=tmp_path / "again.onnx", plan=plan, verify=False)
    assert [f.code for f in again.findings if f.code == "WB211"] == ["WB211"]
    assert (tmp_path / "o.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()


def test_what_both_sides_tie_stays_tied(tmp_path: Path) -> None:
    source, target = dense(tmp_path / "s.onnx", tied=True), dense(tmp_path / "t.onnx", True, 5)
    report = wb.transfer(source, target, output=tmp_path / "o.onnx", verify=False)
    assert (report.verdict, [t.name for t in wb.read(tmp_path / "o.onnx").tensors]) == ("pass", ["w", "o"])


def test_vectors_that_are_no_constants_stay_tied(tmp_path: Path) -> None:
    """A norm that is called twice has trained values."""
    shared = {name: values((4,), k) for k, name in enumerate(NORM)}
    tensors = {"c1": values((4, 4, 1, 1), 7), "c2": values((4, 4, 1, 1), 8), **shared}
    ops: list[Op] = [
        ("Conv", ["x", "c1"], ["a"], {}),
        ("BatchNormalization", ["a", *NORM], ["b"], {}),
        ("Conv", ["b", "c2"], ["c"], {}),
        ("BatchNormalization", ["c", *NORM], ["y"], {}),
    ]
    path = saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", 4, 3, 3]}, ["y"])
    report = wb.check(path, path)
    assert len(report.plan.steps) == 6
