"""The picture of a match: blocks of a model, and where they and their ribbons stand."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations
from typing import Any

import compact_graphs as graphs
import pytest
from report_samples import hostile, sample

from weightbridge.report.graphs import located
from weightbridge.report.render.html.match import NAME, SMALL, alone, pictures
from weightbridge.report.render.svg import render
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification
from weightbridge.views.match.bands import NARROW, WIDE, Columns, Layout, layout
from weightbridge.views.match.blocks import MOST, blocks
from weightbridge.views.match.matched import Matched, matched
from weightbridge.views.match.pieces import Block

RESNET50, RESNET152 = graphs.resnet(3, 4, 6, 3), graphs.resnet(3, 8, 36, 3)
INCEPTION, BERT, UNET = graphs.inception(11), graphs.bert(24), graphs.unet(4)
PAIRS = {
    "resnet-inception": graphs.report(RESNET50, INCEPTION),
    "resnet152-inception": graphs.report(RESNET152, graphs.inception(60)),
    "bert-large": graphs.report(graphs.state_dict(BERT), BERT),
    "bert-without-flow": graphs.report(graphs.state_dict(BERT), graphs.state_dict(BERT)),
    "unet-resnet": graphs.report(RESNET50, UNET),
    "unet": graphs.report(graphs.state_dict(UNET), UNET),
    "small-part": graphs.report(RESNET50, graphs.resnet(1)),
    "state-dict-target": graphs.report(RESNET50, graphs.state_dict(RESNET50)),
    "no-graphs": sample("check"),
}


def named(graph: dict[str, Any]) -> list[str]:
    return [block.name for block in found(graph)]


def found(graph: dict[str, Any]) -> tuple[Block, ...]:
    return blocks(graph, located(graph).stages)


def drawn(report: Report, columns: Columns = WIDE) -> tuple[Matched, Layout]:
    match = matched(report.to_json())
    assert match is not None
    return match, layout(match, columns)


def test_a_residual_network_is_its_units() -> None:
    names = named(RESNET50)
    assert len(names) == 18
    assert names[:3] == ["conv1_conv", "conv2_block1", "conv2_block2"]
    assert names[-1] == "predictions"


def test_repeats_fold_where_there_are_many() -> None:
    folded = {block.name: block.repeats for block in found(RESNET152)}
    assert folded["conv4_block2..36"] == 35
    assert len(folded) < 15


def test_modules_are_called_by_what_joins_them() -> None:
    names = named(INCEPTION)
    assert names[-12:-1] == [f"mixed{i}" for i in range(11)]
    assert names[:2] == ["conv2d_0", "conv2d_1"]


def test_a_transformer_is_its_layers_though_its_mask_goes_to_all() -> None:
    names = named(BERT)
    assert names[1:-1] == [f"encoder/layer_{i}" for i in range(24)]


def test_skips_across_a_unet_keep_no_level_together() -> None:
    stages = [block.stage for block in found(graphs.unet(6))]
    assert len(stages) > 12
    assert set(stages) == {"1/1", "1/2", "1/4", "1/8", "1/16", "1/32", "1/64"}


def test_names_alone_make_blocks_of_a_state_dict() -> None:
    names = named(graphs.state_dict(BERT))
    assert "encoder.layer_3" in names
    assert "embeddings" in names
    assert len(names) == 26


def test_experts_stay_in_their_layer() -> None:
    names = [f"layers.{i}.{part}" for i in range(3) for part in ("q", "k", "v", "norm", "gate")]
    names += [f"layers.{i}.experts.{e}.{part}" for i in range(3) for e in range(4) for part in ("up", "down")]
    layers = [[name, "Dense", None, [f"{name}.weight"], 1] for name in names]
    assert named({"has_flow": False, "layers": layers, "edges": []}) == ["layers.0", "layers.1", "layers.2"]


@pytest.mark.parametrize("graph", [RESNET50, RESNET152, INCEPTION, BERT, UNET, graphs.state_dict(RESNET152)])
def test_every_tensor_is_in_one_block(graph: dict[str, Any]) -> None:
    inside = [i for block in found(graph) for i in block.layers]
    assert len(inside) == len(set(inside))
    assert {i for i, layer in enumerate(graph["layers"]) if layer[3]} <= set(inside)
    assert len(found(graph)) <= MOST


@pytest.mark.parametrize("count", [1, 39, 41, 500])
def test_never_more_blocks_than_can_be_looked_at(count: int) -> None:
    layers = [[f"{chr(97 + i % 26)}{i}x", f"Op{i}", None, [f"t{i}"], 1] for i in range(count)]
    flow = {"has_flow": True, "layers": layers, "edges": [[i, i + 1] for i in range(count - 1)]}
    assert 1 <= len(found(flow)) <= MOST
    assert 1 <= len(found({**flow, "has_flow": False, "edges": []})) <= MOST


def test_a_graph_in_a_cycle_or_without_layers_is_no_error() -> None:
    layers = [[name, "Dense", None, [f"{name}/kernel"], 1] for name in "abc"]
    assert len(found({"has_flow": True, "layers": layers, "edges": [[0, 1], [1, 2], [2, 0], [1, 1]]})) == 3
    assert found({"has_flow": True, "layers": [], "edges": []}) == ()


@pytest.mark.parametrize("columns", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("pair", PAIRS)
def test_boxes_stand_apart_and_in_their_bands(pair: str, columns: Columns) -> None:
    _, picture = drawn(PAIRS[pair], columns)
    for side in (picture.source, picture.target):
        assert 1 <= len(side) <= MOST
        assert not [1 for a, b in combinations(side, 2) if a.y < b.y + b.height and b.y < a.y + a.height]
        for placed in side:
            row = picture.rows[placed.band]
            assert row.y <= placed.y
            assert placed.y + placed.height <= row.y + row.height + 0.01
    for above, below in zip(picture.rows, picture.rows[1:], strict=False):
        assert above.y + above.height < below.y
    assert columns.left + columns.box < columns.right
    assert columns.right + columns.box <= columns.width


@pytest.mark.parametrize("pair", PAIRS)
def test_each_pair_with_a_step_has_one_ribbon_and_they_fill_their_boxes(pair: str) -> None:
    report = PAIRS[pair].to_json()
    match, picture = drawn(PAIRS[pair])
    pairs = [(ribbon.source, ribbon.target) for ribbon in match.ribbons]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected_pairs(report, match)
    for side, boxes in (("source", picture.source), ("target", picture.target)):
        for place, placed in enumerate(boxes):
            mine = [s for s in picture.strands if getattr(s.ribbon, side) == place]
            total = sum(getattr(s, f"{side}_height") for s in mine)
            assert not mine or total == pytest.approx(placed.height)
            assert all(placed.y - 0.01 <= getattr(s, f"{side}_y") for s in mine)


def expected_pairs(report: Any, match: Matched) -> set[tuple[int, int]]:
    from weightbridge.views.match.sides import graphs_of

    places = []
    for side, boxes in (("source", match.source), ("target", match.target)):
        layers = graphs_of(report)[side]["layers"]
        places.append(
            {name: at for at, box in enumerate(boxes) for i in box.block.layers for name in layers[i][3]}
        )
    return {(places[0][name], places[1][one["target"]]) for one in report["steps"] for name in one["sources"]}


@pytest.mark.parametrize("columns", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("pair", PAIRS)
def test_words_fit_their_boxes(pair: str, columns: Columns) -> None:
    report = PAIRS[pair].to_json()
    match = matched(report)
    assert match is not None
    svg = ET.fromstring(pictures(match, report).split("</svg>")[columns is NARROW] + "</svg>")
    for group in svg.iter("g"):
        lines: dict[str, float] = {}
        for text in group.iter("text"):
            size = NAME if text.get("class") == "name" else SMALL
            lines[text.get("y", "")] = lines.get(text.get("y", ""), 0) + size * len(text.text or "")
        assert all(width <= columns.box for width in lines.values())


def test_a_unet_goes_down_and_up_again() -> None:
    _, picture = drawn(PAIRS["unet"])
    labels = [row.label for row in picture.rows]
    assert labels == ["1/1", "1/2", "1/4", "1/8", "1/16", "1/8", "1/4", "1/2", "1/1"]


def test_a_side_without_flow_stands_beside_what_it_gives() -> None:
    match, picture = drawn(PAIRS["bert-large"])
    ends = [(ribbon.source, ribbon.target) for ribbon in match.ribbons]
    assert ends == [(i, i) for i in range(26)]
    _, picture = drawn(graphs.report(graphs.state_dict(RESNET50), RESNET50))
    assert all(
        picture.source[s.ribbon.source].band == picture.target[s.ribbon.target].band for s in picture.strands
    )


def test_a_file_whose_names_say_nothing_follows_the_blocks_of_the_other() -> None:
    flow = graphs.inception(11)
    nameless = {**graphs.state_dict(flow), "layers": graphs.state_dict(flow)["layers"][::-1]}
    match, _ = drawn(graphs.report(nameless, flow))
    assert [(ribbon.source, ribbon.target) for ribbon in match.ribbons] == [(i, i) for i in range(17)]
    match, _ = drawn(graphs.report(flow, nameless))
    assert [(ribbon.source, ribbon.target) for ribbon in match.ribbons] == [(i, i) for i in range(17)]
    assert match.target[6].block.repeats == 1


def test_what_nothing_joins_is_one_box_a_stage() -> None:
    match, _ = drawn(PAIRS["small-part"])
    assert [box.block.name for box in match.source][2:5] == [
        "conv2_block2..3",
        "conv3_block1..4",
        "conv4_block1..6",
    ]
    assert dict(match.source[3].shares) == {"idle": 78}


def compared(*statuses: str) -> Report:
    made = graphs.report(RESNET50, RESNET50, "verify")
    names = [layer[0] for layer in RESNET50["layers"] if layer[3]]
    layers = tuple({"source": name, "target": name, "status": statuses[min(i // 40, len(statuses) - 1)]}
                   for i, name in enumerate(names))  # fmt: skip
    return replace(made, verification=Verification("actual", (), layers, {}))


def test_a_comparison_shows_where_it_begins_to_differ() -> None:
    match, _ = drawn(compared("equal", "differs"))
    kinds = [ribbon.kind for ribbon in match.ribbons]
    assert kinds.count("first") == 1
    assert kinds == sorted(kinds, key=["equal", "first", "after"].index)
    svg = alone(match, compared("equal", "differs").to_json())
    assert "first to differ" in svg


@pytest.mark.parametrize(("statuses", "kind"), [(("equal",), "equal"), (("skipped",), "idle")])
def test_an_equal_comparison_shows_no_difference(statuses: tuple[str, ...], kind: str) -> None:
    match, _ = drawn(compared(*statuses))
    assert {ribbon.kind for ribbon in match.ribbons} == {kind}


def test_the_picture_alone_is_whole_and_hostile_names_do_nothing() -> None:
    for report in (*PAIRS.values(), hostile(), Report("check", "error")):
        svg = render(report.to_json())
        ET.fromstring(svg)
        assert "<script" not in svg
        assert svg == render(report.to_json())


def test_a_picture_has_no_more_than_it_needs() -> None:
    assert len(render(PAIRS["resnet-inception"].to_json())) < 60_000
