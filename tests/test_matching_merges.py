"""Merges: a concatenation inside another is one with it, and a merge of unknown class stands for a sum."""

from typing import Any

import pytest

from weightbridge.boundary.options import Options
from weightbridge.matching.match import match
from weightbridge.matching.units.reduce import reduce
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.tensors import Tensor

Edges = list[tuple[str, str]]


def graph(edges: Edges, ops: dict[str, str], framework: str = "keras", **attributes: Any) -> LayerGraph:
    """Dense layers of four by four, but for those whose op is given."""
    names = list(dict.fromkeys(n for edge in edges for n in edge))
    layers = tuple(_layer(n, ops.get(n, "Dense"), attributes.get(n, {})) for n in names)
    counted = tuple(Edge(a, b, sum(y == b for _, y in edges[:i])) for i, (a, b) in enumerate(edges))
    return LayerGraph(
        "m",
        "keras-zip",
        framework,
        layers=layers,
        edges=counted,
        has_flow=True,
        inputs=("x",),
        outputs=(names[-1],),
    )


def _layer(name: str, op: str, attributes: dict[str, Any]) -> Layer:
    kernel = Tensor(f"{name}/kernel", "kernel", (4, 4), "float32", name, _unread)
    return Layer(name, op, op, {"use_bias": False} | attributes, (kernel,) if op == "Dense" else ())


def _unread() -> Any:
    raise AssertionError("matching read a weight")


BRANCHES: Edges = [("x", "a"), ("x", "b"), ("a", "c")]
NESTED: Edges = [
    *BRANCHES,
    ("b", "inner"),
    ("c", "inner"),
    ("a", "outer"),
    ("inner", "outer"),
    ("outer", "end"),
]
FLAT: Edges = [*BRANCHES, ("a", "outer"), ("b", "outer"), ("c", "outer"), ("outer", "end")]
OPS = {"x": "Input", "inner": "Concat", "outer": "Concat"}


@pytest.mark.parametrize(
    ("axes", "units"),
    [((-1, -1), ("a", "b", "c", "outer", "end")), ((1, -1), ("a", "b", "c", "inner", "outer", "end"))],
    ids=["one axis", "two axes"],
)
def test_a_concatenation_inside_another_is_one_with_it(axes: tuple[int, int], units: tuple[str, ...]) -> None:
    reduced = reduce(graph(NESTED, OPS, inner={"axis": axes[0]}, outer={"axis": axes[1]}))
    assert tuple(sorted(u.name for u in reduced.units)) == tuple(sorted(units))
    assert reduced.parents["outer"] == (("a", "b", "c") if axes[0] == axes[1] else ("a", "inner"))


@pytest.mark.parametrize(("op", "is_one"), [("Add", True), ("Multiply", False)])
def test_a_sum_in_a_sum_is_one_with_it(op: str, is_one: bool) -> None:
    reduced = reduce(graph(NESTED, {"x": "Input", "inner": op, "outer": op}))
    assert ("inner" not in {u.name for u in reduced.units}) is is_one


def test_what_an_exporter_joined_is_matched() -> None:
    flat = graph([(f"s_{a}", f"s_{b}") for a, b in FLAT], {f"s_{n}": op for n, op in OPS.items()}, "onnx")
    pairs = {p.target: p.source for p in match(flat, graph(NESTED, OPS), Options()).pairs}
    assert {t: s for t, s in pairs.items() if t in "abc" or t == "end"} == {
        "a": "s_a",
        "b": "s_b",
        "c": "s_c",
        "end": "s_end",
    }


@pytest.mark.parametrize(("framework", "has_merge"), [("keras", True), ("onnx", False)])
def test_a_merge_of_unknown_class_stands_for_a_sum(framework: str, has_merge: bool) -> None:
    edges = [("x", "a"), ("x", "b"), ("a", "scaled"), ("b", "scaled"), ("scaled", "end")]
    reduced = reduce(graph(edges, {"x": "Input", "scaled": "Opaque"}, framework))
    assert {u.name: u.family for u in reduced.units}.get("scaled") == ("Add" if has_merge else None)
