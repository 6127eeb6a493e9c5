"""State dicts into Keras names.

Blocks counted otherwise, stacks of experts, tables kept twice, matrices that no module holds.
"""

from collections.abc import Mapping
from itertools import pairwise

import pytest

from weightbridge.boundary.options import Options
from weightbridge.formats.state_dicts import StateDict, graph_of
from weightbridge.matching.match import match
from weightbridge.matching.values import Match, Matching
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.rules.names import function_of
from weightbridge.rules.words import words

Shapes = Mapping[str, tuple[int, ...]]
SURE = 0.9
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def graph(shapes: Shapes) -> LayerGraph:
    tensors = tuple(Tensor(name, "", shape, "float32", name, refuse) for name, shape in shapes.items())
    return graph_of("model.safetensors", "safetensors", "", StateDict(tensors))


def matching(source: Shapes, target: Shapes) -> Matching:
    return match(graph(source), graph(target), Options())


def matched(source: Shapes, target: Shapes) -> dict[str, Match]:
    return {m.target: m for m in matching(source, target).matches}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (width,) for part in NORM}


def keras_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/{part}": (width,) for part in NORM.values()}


def layers_of(found: Mapping[str, Match]) -> dict[str, str]:
    """target layer -> source layer."""
    return {t.rpartition("/")[0]: m.sources[0].rpartition(".")[0] for t, m in found.items() if m.sources}


def residual(
    stage: int, block: int, width: int
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]], dict[str, str]]:
    """A block of torchvision's names, the same of Keras's (with biases), and which layers correspond."""
    here, there = f"layer{stage}.{block}", f"conv{stage + 1}_block{block + 1}"
    pairs = {
        f"{there}_{n}_{kind}": f"{here}.{name}{n}"
        for n in (1, 2)
        for kind, name in (("conv", "conv"), ("bn", "bn"))
    }
    source = (
        {f"{here}.conv{n}.weight": (width, width, 3, 3) for n in (1, 2)}
        | norm(f"{here}.bn1", width)
        | norm(f"{here}.bn2", width)
    )
    target = {
        f"{there}_{n}_conv/{part}": shape
        for n in (1, 2)
        for part, shape in (("kernel", (3, 3, width, width)), ("bias", (width,)))
    }
    return (
        source,
        {**target, **keras_norm(f"{there}_1_bn", width), **keras_norm(f"{there}_2_bn", width)},
        pairs,
    )


def test_blocks_are_told_by_their_kernels_where_one_side_counts_otherwise_and_has_biases() -> None:
    blocks = [residual(stage, block, 8 * stage) for stage in (1, 2, 3) for block in range(2)]
    source = {"conv1.weight": (8, 3, 7, 7), **norm("bn1", 8)} | {
        n: s for one, _, _ in blocks for n, s in one.items()
    }
    target = {"conv1_conv/kernel": (7, 7, 3, 8), **keras_norm("conv1_bn", 8)} | {
        n: s for _, one, _ in blocks for n, s in one.items()
    }
    expected = {t: s for _, _, pairs in blocks for t, s in pairs.items()} | {
        "conv1_conv": "conv1",
        "conv1_bn": "bn1",
    }
    assert layers_of(matched(source, target)) == expected


def test_norms_before_their_convolutions_are_counted_not_taken_by_their_number() -> None:
    source = {
        n: s
        for i in range(3)
        for n, s in (norm(f"b.{i}.norm1", 24) | norm(f"b.{i}.norm2", 8) | norm(f"b.{i}.norm3", 8)).items()
    }
    target = {
        n: s
        for i in range(3)
        for n, s in (
            keras_norm(f"s{i}_pre_bn", 24) | keras_norm(f"s{i}_1_bn", 8) | keras_norm(f"s{i}_2_bn", 8)
        ).items()
    }
    found = matched(source, target)
    wanted = {f"s{i}_{t}_bn": f"b.{i}.norm{n}" for i in range(3) for t, n in (("pre", 1), ("1", 2), ("2", 3))}
    assert layers_of(found) == wanted
    assert max(m.confidence for t, m in found.items() if "_pre_" not in t) <= SURE


def test_a_block_s_own_name_inside_it_says_nothing() -> None:
    source = {
        n: s for i in range(3) for n, s in (norm(f"blocks.{i}.bn1", 8) | norm(f"blocks.{i}.bn2", 8)).items()
    }
    target = {
        n: s
        for i in range(3)
        for n, s in (
            keras_norm(f"b{i}_/b{i}_long_first_bn", 8) | keras_norm(f"b{i}_/b{i}_second_bn", 8)
        ).items()
    }
    assert layers_of(matched(source, target))["b1_/b1_long_first_bn"] == "blocks.1.bn1"


EXPERTS, INNER, WIDTH = 4, 12, 16
STACKS = {
    "layers.{i}.mlp.experts.gate_up_proj": (EXPERTS, 2 * INNER, WIDTH),
    "layers.{i}.mlp.experts.down_proj": (EXPERTS, WIDTH, INNER),
    "layers.{i}.mlp.gate.weight": (EXPERTS, WIDTH),
    "layers.{i}.input_layernorm.weight": (WIDTH,),
}
FUSED = {
    "layers_{i}/experts/gate_up": (EXPERTS, WIDTH, 2 * INNER),
    "layers_{i}/experts/down": (EXPERTS, INNER, WIDTH),
    "layers_{i}/router/kernel": (WIDTH, EXPERTS),
    "layers_{i}/norm/gamma": (WIDTH,),
}
APART = {
    "layers_{i}/experts/gate": (EXPERTS, WIDTH, INNER),
    "layers_{i}/experts/up": (EXPERTS, WIDTH, INNER),
    "layers_{i}/experts/down": (EXPERTS, INNER, WIDTH),
    "layers_{i}/router/kernel": (WIDTH, EXPERTS),
    "layers_{i}/norm/gamma": (WIDTH,),
}


def repeated(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    return {name.format(i=i): shape for i in range(3) for name, shape in shapes.items()}


def test_stacked_experts_are_turned_where_the_other_side_keeps_them_so() -> None:
    found = matched(repeated(STACKS), repeated(FUSED))
    assert {found[f"layers_1/experts/{part}"].transform for part in ("gate_up", "down")} == {"e a b -> e b a"}


def test_fused_experts_are_cut_into_gates_and_ups() -> None:
    found = matched(repeated(STACKS), repeated(APART))
    cuts = [
        (m.sources, m.parameters["axis"], m.parameters["start"], m.parameters["pattern"])
        for m in map(found.get, GATE_UP)
        if m
    ]
    assert cuts == [
        (("layers.1.mlp.experts.gate_up_proj",), 1, start, "e a b -> e b a") for start in (0, INNER)
    ]


GATE_UP = ("layers_1/experts/gate", "layers_1/experts/up")


def test_gates_and_ups_are_fused_for_a_template_that_keeps_both_in_one() -> None:
    found = matched(repeated(APART), repeated(STACKS))["layers.2.mlp.experts.gate_up_proj"]
    assert (found.sources, found.transform) == (("layers_2/experts/gate", "layers_2/experts/up"), "fuse")


TABLES = {
    "shared once": ({"encoder.embed_tokens.weight": (50, 8)}, {"decoder_token_embedding/embeddings"}),
    "one each": ({"encoder.embed_tokens.weight": (50, 8), "decoder.embed_tokens.weight": (50, 8)}, set()),
}


@pytest.mark.parametrize(("source", "tied"), TABLES.values(), ids=TABLES)
def test_a_table_that_only_the_target_keeps_twice_fills_both_and_is_said(
    source: Shapes, tied: set[str]
) -> None:
    target = {"encoder_token_embedding/embeddings": (50, 8), "decoder_token_embedding/embeddings": (50, 8)}
    found = matching(source, target)
    assert {m.target for m in found.matches} == set(target)
    assert {f.target for f in found.findings if f.code == "WB211"} == tied
    assert all(m.confidence <= SURE for m in found.matches if m.target in tied)


def test_a_table_of_another_length_is_not_shared() -> None:
    target = {"encoder_token_embedding/embeddings": (50, 8), "decoder_token_embedding/embeddings": (40, 8)}
    assert set(matched({"encoder.embed_tokens.weight": (50, 8)}, target)) == {
        "encoder_token_embedding/embeddings"
    }


SQUARES = {
    "a projection of embeddings": (
        "embed_vision.embedding_projection.weight",
        "vision/input_projection/kernel",
        "o i -> i o",
        1.0,
    ),
    "a parameter without a module": (
        "projector.input_projection_weight",
        "vision/input_projection/kernel",
        "",
        SURE,
    ),
}


@pytest.mark.parametrize(("given", "wanted", "transform", "most"), SQUARES.values(), ids=SQUARES)
def test_square_matrices(given: str, wanted: str, transform: str, most: float) -> None:
    found = matched({given: (8, 8), "norm.weight": (8,)}, {wanted: (8, 8), "norm/gamma": (8,)})[wanted]
    assert found.transform == transform
    assert found.confidence <= most


def test_a_convolution_by_channel_goes_into_one_with_groups() -> None:
    source = {"stem.weight": (8, 3, 3, 3), "dw.weight": (8, 1, 5, 5)}
    found = matched(source, {"stem/kernel": (3, 3, 3, 8), "dw/kernel": (5, 5, 1, 8)})
    assert found["dw/kernel"].transform == "o i s0 s1 -> s0 s1 i o"


WRAPPED = {
    "encoder.layers.0.self_attn.q_proj.linear": "query",
    "encoder.layers.0.self_attn.v_proj.base_layer": "value",
    "encoder.layers.0.mlp.down_proj.linear": "down",
    "encoder.layers.0.attention.dense": "attention_output",
    "encoder.layers.0.stem.linear": "",
}


@pytest.mark.parametrize(("name", "function"), WRAPPED.items(), ids=WRAPPED)
def test_a_wrapper_s_name_hides_no_function(name: str, function: str) -> None:
    assert function_of(words(name), "matrix") == function


def flowing(order: tuple[int, ...]) -> LayerGraph:
    """A Keras model of three convolutions in a row, each with its norm behind it, all under counters.

    `order` lists the norms.
    """
    convs = [
        Layer(f"conv2d_{n}", "Conv", "Conv2D", {}, (tensor(f"conv2d_{n}/kernel", (3, 3, 8, 8)),))
        for n in range(3)
    ]
    norms = [
        Layer(
            f"batch_normalization_{i}",
            "BatchNorm",
            "BatchNormalization",
            {},
            tuple(map(tensor, *zip(*norm_of(i), strict=True))),
        )
        for i in range(3)
    ]
    behind = [norms[order.index(n)] for n in range(3)]
    row = [layer for pair in zip(convs, behind, strict=True) for layer in pair]
    edges = tuple(Edge(a.name, b.name) for a, b in pairwise(row))
    return LayerGraph("target.keras", "keras-zip", "keras", "", (*convs, *norms), edges, has_flow=True)


def tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, name.rpartition("/")[2], shape, "float32", name, refuse)


def norm_of(i: int) -> list[tuple[str, tuple[int, ...]]]:
    return list(keras_norm(f"batch_normalization_{i}", 8).items())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=["in their order", "in another"])
def test_norms_under_counters_follow_the_layers_that_feed_them(order: tuple[int, ...]) -> None:
    source = {
        n: s for i in range(1, 4) for n, s in {f"conv{i}.weight": (8, 8, 3, 3), **norm(f"bn{i}", 8)}.items()
    }
    found = match(graph(source), flowing(order), Options())
    assert layers_of({m.target: m for m in found.matches}) == {
        **{f"conv2d_{n}": f"conv{n + 1}" for n in range(3)},
        **{f"batch_normalization_{i}": f"bn{n + 1}" for i, n in enumerate(order)},
    }
    assert max(m.confidence for m in found.matches) <= SURE


LISTED = {
    f"layers.{{i}}.moe.experts.{n}.{part}.weight": (WIDTH, INNER) if part == "w2" else (INNER, WIDTH)
    for n in range(EXPERTS)
    for part in ("w1", "w2", "w3")
} | {"layers.{i}.moe.gate.weight": (EXPERTS, WIDTH), "layers.{i}.input_layernorm.weight": (WIDTH,)}


STACKED = {
    "layers.{i}.moe.experts.gate": (EXPERTS, INNER, WIDTH),
    "layers.{i}.moe.experts.up": (EXPERTS, INNER, WIDTH),
    "layers.{i}.moe.experts.down": (EXPERTS, WIDTH, INNER),
    "layers.{i}.moe.router.weight": (EXPERTS, WIDTH),
    "layers.{i}.input_layernorm.weight": (WIDTH,),
}


@pytest.mark.parametrize("parts", [("w1", "w3"), ("w3", "w1")])
def test_a_map_joins_a_list_of_experts_with_a_stack(parts: tuple[str, str]) -> None:
    gate, up = parts
    told = (
        (f"layers.*.moe.experts.*.{gate}.weight", "layers.*.moe.experts.gate"),
        (f"layers.*.moe.experts.{{0..{EXPERTS - 1}}}.{up}.weight", "layers.*.moe.experts.up"),
    )
    result = match(graph(repeated(LISTED)), graph(repeated(STACKED)), Options(map=told))
    found = {m.target: m for m in result.matches}
    for name, part in (("gate", gate), ("up", up)):
        stack = found[f"layers.1.moe.experts.{name}"]
        assert stack.sources == tuple(f"layers.1.moe.experts.{n}.{part}.weight" for n in range(EXPERTS))
        assert (stack.transform, stack.confidence, stack.evidence) == ("stack", 1.0, ("map",))
    assert "WB209" not in {f.code for f in result.findings}


def test_a_map_of_tensors_that_are_no_stack_is_a_collision() -> None:
    told = (("layers.1.moe.experts.{0,1}.w1.weight", "layers.1.moe.experts.gate"),)
    result = match(graph(repeated(LISTED)), graph(repeated(STACKED)), Options(map=told))
    assert "WB209" in {f.code for f in result.findings}
