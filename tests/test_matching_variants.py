"""State dicts whose names tell by their words and numbers together.

Experts in any order, further norms, vectors beside shared tables.
"""

from collections.abc import Iterable, Mapping

from weightbridge.boundary.options import Options
from weightbridge.formats.state_dicts import StateDict, graph_of
from weightbridge.matching.match import match
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor

Shapes = Mapping[str, tuple[int, ...]]
SURE, EXPERTS, WIDTH = 0.9, 11, 16


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def graph(shapes: Shapes, format: str = "safetensors") -> LayerGraph:
    tensors = tuple(Tensor(name, "", shape, "float32", name, refuse) for name, shape in shapes.items())
    return graph_of("model", format, "", StateDict(tensors))


def matched(source: Shapes, target: Shapes) -> dict[str, Match]:
    return {m.target: m for m in match(graph(source), graph(target), Options()).matches}


def in_blocks(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    return {name.format(i=i): shape for i in range(3) for name, shape in shapes.items()}


def norms(pattern: str, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    return in_blocks({pattern % name: (WIDTH,) for name in names})


def test_experts_are_stacked_by_their_numbers_whatever_the_order_of_the_file() -> None:
    listed = {
        f"layers.{{i}}.mlp.experts.{n}.down_proj.weight": (WIDTH, WIDTH) for n in (2, 10, 0, *range(3, 10), 1)
    }
    source = {
        **listed,
        "layers.{i}.mlp.gate.weight": (EXPERTS, WIDTH),
        "layers.{i}.input_layernorm.weight": (WIDTH,),
    }
    target = {
        "layers_{i}/experts/down": (EXPERTS, WIDTH, WIDTH),
        "layers_{i}/router/kernel": (EXPERTS, WIDTH),
        "layers_{i}/norm/gamma": (WIDTH,),
    }
    found = match(graph(in_blocks(source), "torch-zip"), graph(in_blocks(target)), Options()).matches
    (stacked,) = (m for m in found if m.target == "layers_1/experts/down")
    assert stacked.sources == tuple(f"layers.1.mlp.experts.{n}.down_proj.weight" for n in range(EXPERTS))


FURTHER = {"pre_ffn_norm": "pre_feedforward_layernorm", "post_ffn_norm": "post_feedforward_layernorm"}
PATHS = {
    "post_ffn_norm_dense": "post_feedforward_layernorm_1",
    "post_ffn_norm_moe_path": "post_feedforward_layernorm_2",
}


def test_further_norms_of_one_function_are_told_by_what_their_words_mean_where_there_is_one() -> None:
    names = {**PATHS, **FURTHER, "pre_ffn_norm_moe": "pre_feedforward_layernorm_2"}
    found = matched(norms("layers.{i}.%s.weight", sorted(names.values())), norms("block_{i}/%s/gamma", names))
    assert {t: m.sources[0] for t, m in found.items() if t.startswith("block_1/")} == {
        f"block_1/{name}/gamma": f"layers.1.{other}.weight" for name, other in names.items()
    }
    assert min(m.confidence for m in found.values()) > SURE


def test_further_norms_whose_words_nothing_translates_are_not_sure() -> None:
    names = {**PATHS, **FURTHER}
    found = matched(norms("layers.{i}.%s.weight", sorted(names.values())), norms("block_{i}/%s/gamma", names))
    assert max(found[f"block_1/{name}/gamma"].confidence for name in PATHS) <= SURE


def test_what_stands_in_the_layer_of_a_shared_table_is_shared_with_it() -> None:
    source = {
        "encoder.embed_tokens.weight": (50, 8),
        "encoder.embed_tokens.extra": (8,),
        "encoder.norm.weight": (8,),
    }
    tables = {f"{side}_token_embedding/embeddings": (50, 8) for side in ("encoder", "decoder")}
    found = matched(source, {**tables, "model/0": (8,), "model/1": (8,), "normalization/gamma": (8,)})
    assert [found[f"model/{n}"].sources for n in (0, 1)] == [("encoder.embed_tokens.extra",)] * 2
    assert max(found[f"model/{n}"].confidence for n in (0, 1)) <= SURE
    assert found["normalization/gamma"].sources == ("encoder.norm.weight",)
