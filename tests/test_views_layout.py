"""The layered layout: no two boxes overlap, every edge goes down and crosses no box, whatever the graph."""

import random
from itertools import combinations, pairwise
from typing import Any

import pytest
from report_samples import graph, layer

from weightbridge.views.boxes import BOXES, LAYERS, Picture, picture
from weightbridge.views.places import Box, Drawing, place
from weightbridge.views.ranks import rows
from weightbridge.views.scopes import overlap, scopes
from weightbridge.views.svg import _size as size


def chain(count: int, op: str = "Conv") -> dict[str, Any]:
    return graph(
        [layer(f"l{i}", op) for i in range(count)], [(f"l{i}", f"l{i + 1}", 0) for i in range(count - 1)]
    )


def residual(blocks: int) -> dict[str, Any]:
    names = [f"b{i}_{part}" for i in range(blocks) for part in ("conv", "bn", "relu", "add")]
    ops = {"conv": "Conv", "bn": "BatchNorm", "relu": "Activation", "add": "Add"}
    edges = [(a, b, 0) for a, b in pairwise(names)]
    skips = [(f"b{i}_add", f"b{i + 1}_add", 1) for i in range(blocks - 1)]
    return graph([layer(name, ops[name.split("_")[1]]) for name in names], edges + skips)


def dense(count: int) -> dict[str, Any]:
    """Every layer feeds all that follow: as many long edges as there can be."""
    return graph(
        [layer(f"l{i}", "Concat") for i in range(count)],
        [(f"l{i}", f"l{j}", i) for i, j in combinations(range(count), 2)],
    )


def wild(count: int, seed: int) -> dict[str, Any]:
    chosen = random.Random(seed)
    ops = ("Conv", "BatchNorm", "Add", "Pad", "Activation", "Opaque")
    names = [f"l{i}" * chosen.randrange(1, 9) for i in range(count)]
    parents = [(b, chosen.sample(range(b), min(b, chosen.randrange(4)))) for b in range(count)]
    edges = [(names[a], names[b], k) for b, found in parents for k, a in enumerate(found)]
    return graph([layer(name, chosen.choice(ops)) for name in names], edges)


GRAPHS = {
    "empty": graph(()),
    "one": chain(1),
    "chain": chain(30),
    "stacked": chain(30, "BatchNorm"),
    "residual": residual(20),
    "dense": dense(60),
    "fan-out": graph([layer(f"l{i}") for i in range(40)], [("l0", f"l{i}", 0) for i in range(1, 40)]),
    "no-edges": graph([layer(f"l{i}") for i in range(30)]),
    "loose-ends": graph([layer(f"l{i}") for i in range(9)], [("l0", "l1", 0), ("l5", "l1", 1)]),
    "unknown-ends": graph([layer("a"), layer("b")], [("a", "b", 0), ("a", "ghost", 0), ("ghost", "b", 1)]),
    "cycle": graph(
        [layer("a"), layer("b"), layer("c")], [("a", "b", 0), ("b", "c", 0), ("c", "a", 0), ("b", "b", 1)]
    ),
    "twice": graph([layer("a"), layer("b", "Add")], [("a", "b", 0), ("a", "b", 1)]),
    **{f"wild-{seed}": wild(60, seed) for seed in range(6)},
}


def drawn(what: dict[str, Any]) -> tuple[Picture, Drawing]:
    shown = picture(what)
    return shown, place(rows(len(shown.boxes), shown.edges), [size(box) for box in shown.boxes])


@pytest.mark.parametrize("what", GRAPHS.values(), ids=GRAPHS)
def test_no_two_boxes_overlap(what: dict[str, Any]) -> None:
    _, drawing = drawn(what)
    assert [(a, b) for a, b in combinations(drawing.boxes, 2) if overlap(a, b)] == []


@pytest.mark.parametrize("what", GRAPHS.values(), ids=GRAPHS)
def test_every_edge_goes_down_from_box_to_box(what: dict[str, Any]) -> None:
    shown, drawing = drawn(what)
    assert len(drawing.paths) == len(shown.edges)
    for (a, b), path in zip(shown.edges, drawing.paths, strict=True):
        heights = [y for _, y in path]
        assert heights == sorted(heights)
        above, below = drawing.boxes[a], drawing.boxes[b]
        assert path[0][1] == above.y + above.height
        assert path[-1][1] == below.y
        assert abs(path[0][0] - above.x) <= above.width / 2
        assert abs(path[-1][0] - below.x) <= below.width / 2


@pytest.mark.parametrize("name", ["residual", "dense", "wild-0", "wild-1"])
def test_edges_pass_beside_the_boxes_of_the_rows_between(name: str) -> None:
    shown, drawing = drawn(GRAPHS[name])
    boxes = drawing.boxes[: len(shown.boxes)]
    for path in drawing.paths:
        uprights = [
            Box(x, y, 0.5, to_y - y) for (x, y), (to_x, to_y) in pairwise(path) if x == to_x and to_y > y
        ]
        assert not any(overlap(upright, box) for upright in uprights[1:] for box in boxes)


@pytest.mark.parametrize("what", GRAPHS.values(), ids=GRAPHS)
def test_everything_is_inside_the_picture(what: dict[str, Any]) -> None:
    _, drawing = drawn(what)
    assert all(box.x - box.width / 2 >= 0 and box.x + box.width / 2 <= drawing.width for box in drawing.boxes)
    assert all(box.y >= 0 and box.y + box.height <= drawing.height for box in drawing.boxes)


@pytest.mark.parametrize("what", GRAPHS.values(), ids=GRAPHS)
def test_every_layer_is_in_exactly_one_box(what: dict[str, Any]) -> None:
    shown, _ = drawn(what)
    assert sorted(name for box in shown.members for name in box) == sorted(
        one["name"] for one in what["layers"]
    )


def test_light_layers_are_stacked_onto_what_they_follow() -> None:
    shown = picture(residual(2))
    assert shown.members == (
        ("b0_conv", "b0_bn", "b0_relu"),
        ("b0_add",),
        ("b1_conv", "b1_bn", "b1_relu"),
        ("b1_add",),
    )
    assert set(shown.edges) == {(0, 1), (1, 2), (1, 3), (2, 3)}


def test_a_layer_with_another_reader_stays_apart() -> None:
    what = graph([layer("a"), layer("bn", "BatchNorm"), layer("b")], [("a", "bn", 0), ("a", "b", 0)])
    assert picture(what).members == (("a",), ("bn",), ("b",))


def test_a_plain_residual_net_has_no_crossing() -> None:
    shown = picture(residual(30))
    _, drawing = drawn(residual(30))
    assert len({round(drawing.boxes[i].x) for i in range(len(shown.boxes))}) <= 4, (
        "blocks stand under one another"
    )


@pytest.mark.parametrize("count", [LAYERS + 1, 10_000])
def test_a_graph_too_large_to_look_at_is_summarised(count: int) -> None:
    shown, drawing = drawn(wild(count, 1) if count < 2000 else chain(count))
    assert len(shown.boxes) <= BOXES
    assert sum(map(len, shown.members)) == count
    assert [(a, b) for a, b in combinations(drawing.boxes[: len(shown.boxes)], 2) if overlap(a, b)] == []


def test_scopes_frame_their_own_boxes_and_no_other() -> None:
    names = ["a", "enc/one/x", "enc/one/y", "enc/two", "b"]
    what = graph([layer(name) for name in names], [(a, b, 0) for a, b in pairwise(names)])
    shown, drawing = drawn(what)
    found = scopes(shown.members, drawing.boxes)
    assert [scope.name for scope in found] == ["enc", "enc/one"]
    for scope in found:
        inside = {
            name for (name,), box in zip(shown.members, drawing.boxes, strict=True) if overlap(scope.box, box)
        }
        assert inside == {name for name in names if name.startswith(f"{scope.name}/")}


def test_a_scope_that_would_frame_another_box_is_left_out() -> None:
    names = ["enc/x", "b", "enc/y"]
    what = graph([layer(name) for name in names], [(a, b, 0) for a, b in pairwise(names)])
    shown, drawing = drawn(what)
    assert scopes(shown.members, drawing.boxes) == ()
