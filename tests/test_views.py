"""The views of a graph.

What they say of a layer, that names do nothing in them, and how large and slow they get.
"""

import json
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from report_samples import HOSTILE, graph, hostile, layer, tensor
from test_views_layout import chain, residual

from weightbridge.errors.diagnostics import CODES
from weightbridge.model.graph import Edge, Excluded, Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.report.document import plain
from weightbridge.views import dot, svg, text
from weightbridge.views import json as views_json
from weightbridge.views.labels import COLORS, FAMILIES, described, family

SVG = "{http://www.w3.org/2000/svg}"


def unread() -> Array:
    raise AssertionError("a view reads no bytes")


def test_a_graph_becomes_json_without_reading_a_byte() -> None:
    kernel = Tensor("conv/kernel", "kernel", (3, 3, 1, 8), "float16", "k", unread, trainable=False)
    conv = Layer(
        "conv", "Conv", "Conv2D", {"strides": (2, 2), "epsilon": np.float32(0.5)}, (kernel,), (None, None, 8)
    )
    found = views_json.graph_to_json(
        LayerGraph("m.h5", "keras-h5", "keras", layers=(Layer("x", "Input"), conv),
            edges=(Edge("x", "conv"),), has_flow=True,
                   inputs=("x",), outputs=("conv",), excluded=(Excluded("adam/m", "optimizer", 3),))
    )  # fmt: skip
    assert found == json.loads(views_json.render(found)) == {
        "framework": "keras",
        "has_flow": True,
        "inputs": ["x"],
        "outputs": ["conv"],
        "layers": [
            {"name": "x", "op": "Input", "class_name": "", "attributes": {}, "output_shape": None,
                "tensors": []},
            {
                "name": "conv", "op": "Conv", "class_name": "Conv2D",
                "attributes": {"epsilon": 0.5, "strides": [2, 2]},
                "output_shape": [None, None, 8],
                "tensors": [{"name": "conv/kernel", "role": "kernel", "shape": [3, 3, 1, 8],
                    "dtype": "float16", "trainable": False}],
            },
        ],
        "edges": [["x", "conv", 0]],
        "excluded": [{"name": "adam/m", "reason": "optimizer", "size": 3}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"op": "Conv", "attributes": {"kernel_size": [3, 3], "strides": [2, 2], "activation": "relu"}},
            "Conv 3x3/2 relu",
        ),
        (
            {"op": "Conv", "attributes": {"kernel_size": [1, 7], "strides": [1, 1], "activation": "linear"}},
            "Conv 1x7",
        ),
        ({"op": "Conv", "attributes": {"kernel_size": [3, 3], "strides": [2, 1]}}, "Conv 3x3/2x1"),
        ({"op": "Pool", "attributes": {"pool_size": [2], "strides": [2]}}, "Pool 2/2"),
        ({"op": "Activation", "attributes": {"activation": ["relu", {"max_value": 6}]}}, "Activation relu"),
        ({"op": "Opaque", "class_name": "MyLayer"}, "Opaque MyLayer"),
        ({"op": "Dense", "attributes": {"activation": {"class_name": "x"}}}, "Dense"),
    ],
    ids=["conv", "plain", "uneven", "pool", "parameters", "opaque", "odd"],
)
def test_described(changed: dict[str, Any], said: str) -> None:
    assert described(layer("a", **changed)) == said


def test_every_family_has_a_colour_and_every_op_one_family() -> None:
    ops = [op for group in FAMILIES.values() for op in group]
    assert len(ops) == len(set(ops))
    assert {*FAMILIES, "other"} == set(COLORS)
    assert family("Whatever") == "other"
    assert family(next(iter(CODES))) == "other"


def test_text_lists_layers_folded_and_what_is_excluded() -> None:
    layers = [
        layer(f"conv{i}", output_shape=[None, 8], tensors=[tensor(f"conv{i}/kernel", shape=(3, 3, 8, 8))])
        for i in (1, 2, 3)
    ]
    shown = text.render(
        graph(
            [*layers, layer("head", "Dense")], excluded=[{"name": "adam/m", "reason": "optimizer", "size": 9}]
        )
    )
    lines = [line.split() for line in shown.splitlines()]
    assert ["conv{1..3}", "Conv", "?x8", "kernel", "3x3x8x8", "576", "3"] in lines
    assert ["adam/m", "optimizer", "9"] in lines


@pytest.mark.parametrize(
    "change",
    [
        {"attributes": {"strides": [2]}},
        {"op": "Dense"},
        {"output_shape": [9]},
        {"tensors": [tensor("c2/kernel", dtype="float16")]},
    ],
    ids=["attribute", "op", "shape", "dtype"],
)
def test_layers_that_differ_are_not_folded(change: dict[str, Any]) -> None:
    same = {"tensors": [tensor("kernel")]}
    assert "c{1..2}" in text.render(graph([layer("c1", **same), layer("c2", **same)]))
    assert "c{1..2}" not in text.render(graph([layer("c1", **same), layer("c2", **{**same, **change})]))


HOSTILE_GRAPH = plain({**hostile().graph, "edges": [(HOSTILE, HOSTILE, 0)]})  # type: ignore[dict-item]


@pytest.mark.parametrize("view", [text, views_json, dot, svg], ids=["text", "json", "dot", "svg"])
def test_hostile_names_do_nothing(view: Any) -> None:
    shown = view.render(HOSTILE_GRAPH)
    shown.encode("utf-8")
    assert all(character.isprintable() or character == "\n" for character in shown)
    if view is svg:
        assert "<script" not in shown


def test_the_picture_is_one_self_contained_file() -> None:
    shown = svg.render(residual(5))
    root = ET.fromstring(shown)
    assert root.tag == f"{SVG}svg"
    assert {element.tag for element in root.iter()} <= {
        SVG + tag for tag in ("svg", "g", "title", "style", "rect", "text", "tspan", "path")
    }
    assert "href" not in shown
    assert "url(" not in shown


def test_the_picture_names_every_layer() -> None:
    words = {element.text for element in ET.fromstring(svg.render(residual(5))).iter(f"{SVG}tspan")}
    assert words == {one["name"] for one in residual(5)["layers"]}


def test_a_long_name_is_whole_in_the_tool_tip() -> None:
    name = "scope/" * 20 + "conv"
    titles = [
        element.text or "" for element in ET.fromstring(svg.render(graph([layer(name)]))).iter(f"{SVG}title")
    ]
    assert any(name in title for title in titles)


def test_a_graph_without_flow_says_so() -> None:
    assert "the file keeps no data flow" in svg.render(graph([layer("a"), layer("b")], has_flow=False))
    assert "the file keeps no data flow" not in svg.render(chain(2))


@pytest.mark.parametrize(
    ("what", "most"), [(residual(80), 150_000), (chain(10_000), 300_000)], ids=["320-layers", "10000-layers"]
)
def test_pictures_stay_small(what: dict[str, Any], most: int) -> None:
    assert len(svg.render(what).encode()) < most


@pytest.mark.parametrize("what", [residual(250), residual(2500)], ids=["1000", "10000"])
@pytest.mark.parametrize("view", [svg, dot], ids=["svg", "dot"])
def test_pictures_are_drawn_in_time(view: Any, what: dict[str, Any]) -> None:
    start = time.process_time()
    view.render(what)
    assert time.process_time() - start < 2


def test_dot_numbers_its_nodes_and_nests_scopes() -> None:
    names = ["x", "enc/a", "enc/inner/b", "enc/c", 'd"]; evil [x="']
    lines = dot.render(
        graph([layer(name) for name in names], [("x", "enc/a", 0), ("enc/a", "ghost", 0)])
    ).splitlines()
    assert lines[0] == "digraph model {"
    assert sum(line.startswith("subgraph") for line in lines) == 2
    assert [line for line in lines if "->" in line] == ["n0 -> n1;"]
    assert sum(line.count("{") for line in lines) == sum(line.count("}") for line in lines)
    assert next(line for line in lines if line.startswith("n4")).startswith(
        'n4 [label="d\\"]; evil [x=\\"\\nConv\\n'
    )


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
@pytest.mark.parametrize("what", [HOSTILE_GRAPH, residual(5)], ids=["hostile", "plain"])
def test_graphviz_reads_it(what: dict[str, Any]) -> None:
    subprocess.run(["dot", "-Tdot"], input=dot.render(what), text=True, check=True, capture_output=True)
