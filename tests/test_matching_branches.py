"""Models inside the branches of an If: the branch that fits the target is taken.

Where both do, it is said and never sure.
"""

from pathlib import Path

import numpy as np
import pytest
from onnx import GraphProto, TensorProto, helper, numpy_helper
from onnx_samples import saved, values

import weightbridge as wb
from weightbridge import formats

INPUTS = {"x": ["n", 4]}


def branch(*widths: int, seed: int, names: str = "{}", outer: str = "") -> GraphProto:
    """Dense layers one after the other, with a relu between.

    `outer`: a matrix of the graph around it, used first.
    """
    sizes = (4, *widths)
    tensors = {names.format(f"w{i}"): values(sizes[i : i + 2], seed + i) for i in range(len(widths))}
    nodes, value = ([helper.make_node("MatMul", ["x", outer], ["o"])], "o") if outer else ([], "x")
    for i, name in enumerate(tensors):
        nodes += [
            helper.make_node("MatMul", [value, name], [f"m{i}"]),
            helper.make_node("Relu", [f"m{i}"], [f"r{i}"]),
        ]
        value = f"r{i}"
    if not nodes:
        nodes, value = [helper.make_node("Identity", ["x"], ["same"])], "same"
    shown = [helper.make_tensor_value_info(value, TensorProto.FLOAT, None)]
    return helper.make_graph(
        nodes, "b", [], shown, [numpy_helper.from_array(a, n) for n, a in tensors.items()]
    )


def chosen(path: Path, then: GraphProto, otherwise: GraphProto, **tensors: np.ndarray) -> Path:
    ops = [
        ("If", ["flag"], ["i"], {"then_branch": then, "else_branch": otherwise}),
        ("Neg", ["i"], ["y"], {}),
    ]
    made = {"flag": np.array(True), **tensors}
    return saved(path, ops, made, INPUTS, ["y"])


def plain(path: Path, *widths: int) -> Path:
    sizes = (4, *widths)
    tensors = {f"w{i}": np.zeros(sizes[i : i + 2], "f4") for i in range(len(widths))}
    ops = [("MatMul", ["x" if not i else f"m{i - 1}", f"w{i}"], [f"m{i}"], {}) for i in range(len(widths))]
    return saved(path, [*ops, ("Neg", [f"m{len(widths) - 1}"], ["y"], {})], tensors, INPUTS, ["y"])


def filled(
    folder: Path, source: Path, target: Path, **options: object
) -> tuple[wb.Report, dict[str, np.ndarray]]:
    made = wb.transfer(source, target, output=folder / "o.onnx", verify=False, **options)  # type: ignore[arg-type]
    return made, {t.name: t.load() for t in formats.read(folder / "o.onnx").tensors}


CASES = {
    "only one branch has weights": (branch(3, 5, seed=1), branch(seed=0), 1),
    "the other branch": (branch(seed=0), branch(3, 5, seed=1), 1),
    "other widths": (branch(6, 7, seed=3), branch(3, 5, seed=1), 1),
    "one more layer": (branch(3, 3, 5, seed=3), branch(3, 5, seed=1), 1),
    "the first layer alone differs": (branch(2, 5, seed=3), branch(3, 5, seed=1), 1),
}


@pytest.mark.parametrize(("then", "otherwise", "seed"), CASES.values(), ids=CASES)
def test_the_branch_that_is_the_target_is_taken(
    tmp_path: Path, then: GraphProto, otherwise: GraphProto, seed: int
) -> None:
    made, found = filled(
        tmp_path, chosen(tmp_path / "s.onnx", then, otherwise), plain(tmp_path / "t.onnx", 3, 5)
    )
    assert np.array_equal(found["w0"], values((4, 3), seed))
    assert np.array_equal(found["w1"], values((3, 5), seed + 1))
    assert all(s.confidence > 0.9 for s in made.plan.steps)


def test_two_branches_of_one_architecture_are_never_sure(tmp_path: Path) -> None:
    source = chosen(tmp_path / "s.onnx", branch(3, 5, seed=1), branch(3, 5, seed=5, names="other_{}"))
    made, found = filled(tmp_path, source, plain(tmp_path / "t.onnx", 3, 5))
    assert np.array_equal(found["w0"], values((4, 3), 1))
    assert all(s.confidence <= 0.5 for s in made.plan.steps)
    assert [f.code for f in made.findings].count("WB204") == 1
    assert {u.source for u in made.plan.unused} == {"other_w0", "other_w1", "flag"}


@pytest.mark.parametrize(
    "given", [{"second.w0": "m0"}, {"second.w0.weight": "w0"}], ids=["of layers", "of tensors"]
)
def test_a_map_says_which_branch_is_meant(tmp_path: Path, given: dict[str, str]) -> None:
    source = chosen(tmp_path / "s.onnx", branch(3, 5, seed=1), branch(3, 5, seed=5, names="second.{}.weight"))
    made, found = filled(tmp_path, source, plain(tmp_path / "t.onnx", 3, 5), map=given)
    assert np.array_equal(found["w0"], values((4, 3), 5))
    assert np.array_equal(found["w1"], values((3, 5), 6))
    assert all(s.confidence > 0.9 for s in made.plan.steps)


def test_equal_names_in_both_branches_stay_two_tensors(tmp_path: Path) -> None:
    graph = formats.read(chosen(tmp_path / "s.onnx", branch(3, seed=1), branch(3, seed=5)))
    first, second = graph.tensors
    assert (first.name, second.name) == ("w0", "i/else_branch/w0")
    assert np.array_equal(second.load(), values((4, 3), 5))


def test_a_branch_may_use_weights_of_the_graph_around_it(tmp_path: Path) -> None:
    source = chosen(
        tmp_path / "s.onnx", branch(5, seed=1, outer="outer"), branch(seed=0), outer=values((4, 4), 9)
    )
    _, found = filled(tmp_path, source, plain(tmp_path / "t.onnx", 4, 5))
    assert np.array_equal(found["w0"], values((4, 4), 9))


def test_a_model_with_both_branches_takes_both(tmp_path: Path) -> None:
    """Into the same file of zeros: each branch goes into its own."""
    source = chosen(tmp_path / "s.onnx", branch(3, 5, seed=1), branch(3, 5, seed=5, names="other_{}"))
    target = chosen(tmp_path / "t.onnx", branch(3, 5, seed=11), branch(3, 5, seed=15, names="other_{}"))
    _, found = filled(tmp_path, source, target)
    assert np.array_equal(found["w0"], values((4, 3), 1))
    assert np.array_equal(found["other_w0"], values((4, 3), 5))


def test_an_if_without_weights_whose_condition_is_data_stays_one_layer(tmp_path: Path) -> None:
    ops = [
        ("ReduceMax", ["x"], ["m"], {"keepdims": 0}),
        ("Cast", ["m"], ["flag"], {"to": TensorProto.BOOL}),
        ("If", ["flag"], ["y"], {"then_branch": branch(seed=0), "else_branch": branch(seed=0)}),
    ]
    graph = formats.read(saved(tmp_path / "s.onnx", ops, {}, INPUTS, ["y"]))
    assert [x.class_name for x in graph.layers] == ["x", "ReduceMax", "Cast", "If"]


def test_of_an_if_whose_condition_is_known_the_branch_is_read(tmp_path: Path) -> None:
    graph = formats.read(chosen(tmp_path / "s.onnx", branch(seed=0), branch(seed=0)))
    assert [x.class_name for x in graph.layers] == ["x", "Identity", "Identity", "Neg"]
