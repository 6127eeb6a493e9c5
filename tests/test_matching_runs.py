"""Runs of blocks whose kinds take turns: one count on one side, a count for each kind on the other."""

from collections.abc import Mapping
from dataclasses import replace

from weightbridge.boundary.options import Options
from weightbridge.formats.state_dicts import StateDict, graph_of
from weightbridge.matching.match import match
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph, Order
from weightbridge.model.tensors import Array, Tensor

Shapes = dict[str, tuple[int, ...]]
KINDS = "eecacaca"  # an expansion, a convolution, an attention
NAMES: Mapping[str, Mapping[str, str]] = {  # part of a block -> its name on the other side
    "e": {"expand": "first/conv_{n}", "reduce": "second/conv_{n}"},
    "c": {"narrow": "first/conv_{n}", "wide": "second/conv_{n}"},
    "a": {
        "attn.query.proj": "attn/query_proj",
        "attn.key.proj": "attn/key_proj",
        "attn.output.proj": "attn/output_proj",
    },
}
SCOPES = {"e": "edge", "c": "inverted", "a": "mobile_attention"}
WIDTH = 8
SURE = 0.9
ORDERS: dict[str, Order] = {"keras-zip": "list", "keras-weights-h5": "class"}


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def graph(shapes: Shapes, format: str) -> LayerGraph:
    tensors = tuple(Tensor(n, "", s, "float32", n, refuse) for n, s in shapes.items())
    found = graph_of("model", format, "", StateDict(tensors))
    return replace(found, order=ORDERS.get(format, found.order))


def matched(source: Shapes, target: Shapes, format: str = "keras-zip") -> dict[str, Match]:
    return {
        m.target: m
        for m in match(graph(source, "safetensors"), graph(target, format), Options()).matches
        if m.sources
    }


def both(kinds: str) -> tuple[Shapes, Shapes, dict[str, str]]:
    """The state dict, Keras's weights, and what belongs together.

    The widths inside do not tell blocks of one kind apart.
    """
    source: Shapes = {}
    target: Shapes = {}
    pairs = {}
    for i, kind in enumerate(kinds):
        k = kinds[:i].count(kind)
        scope = SCOPES[kind] + (f"_{k}" if k else "")
        for j, (part, name) in enumerate(NAMES[kind].items()):
            here, there = f"blocks.{i}.{part}.weight", f"{scope}/{name.format(n=2 * i + j)}/kernel"
            inner = WIDTH * (j + 2)
            source[here], target[there], pairs[there] = (inner, WIDTH, 1, 1), (1, 1, WIDTH, inner), here
        source[f"blocks.{i}.layer_scale.gamma"] = target[f"{scope}/layer_scale/gamma"] = (WIDTH,)
        pairs[f"{scope}/layer_scale/gamma"] = f"blocks.{i}.layer_scale.gamma"
    return source, target, pairs


def test_kinds_of_blocks_that_take_turns_are_one_run_and_a_run_of_two_may_begin_without_a_number() -> None:
    source, target, pairs = both(KINDS)
    assert {t: m.sources[0] for t, m in matched(source, target).items()} == pairs


def test_where_the_file_sorts_by_name_no_turn_is_told() -> None:
    source, target, pairs = both(KINDS)
    found = matched(source, dict(sorted(target.items())), "keras-weights-h5")
    assert not [t for t, m in found.items() if m.confidence > SURE and m.sources[0] != pairs[t]]


def test_a_second_one_that_is_not_like_the_first_begins_no_run() -> None:
    source = {
        "head.weight": (WIDTH, WIDTH, 3, 3),
        "head_1.one.weight": (4, WIDTH, 1, 1),
        "head_1.other.weight": (6, WIDTH, 1, 1),
    }
    target = {
        "out/kernel": (3, 3, WIDTH, WIDTH),
        "out_1/one/kernel": (1, 1, WIDTH, 4),
        "out_1/other/kernel": (1, 1, WIDTH, 6),
    }
    assert {t: m.sources[0] for t, m in matched(source, target).items()} == dict(
        zip(target, source, strict=True)
    )
