"""Matching by what names say: families' schemes against each other, from names and shapes alone."""

import gc
from collections.abc import Mapping, Sequence
from weakref import WeakSet

import pytest

from weightbridge.boundary.options import Options
from weightbridge.formats.state_dicts import StateDict, graph_of
from weightbridge.matching.match import match
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.rules.names import failing_name_cases, name_rules
from weightbridge.rules.words import words

Shapes = Mapping[str, tuple[int, ...]]
WIDTH, HIDDEN, KEYS, VOCABULARY = 16, 44, 8, 50
SURE = 0.9


def refuse() -> Array:
    raise AssertionError("matching reads no bytes")


def graph(shapes: Shapes) -> LayerGraph:
    tensors = tuple(Tensor(name, "", shape, "float32", name, refuse) for name, shape in shapes.items())
    return graph_of("model.safetensors", "safetensors", "", StateDict(tensors))


def matched(source: Shapes, target: Shapes) -> dict[str, Match]:
    return {m.target: m for m in match(graph(source), graph(target), Options()).matches}


def layers(
    scheme: Mapping[str, str], parts: Shapes, count: int = 3
) -> dict[str, tuple[tuple[int, ...], str]]:
    """name -> (shape, what it is).

    The scheme's name of each part, in every block where the name has a number.
    """
    found = {}
    for part, name in scheme.items():
        for i in range(count if "{i}" in name else 1):
            found[name.format(i=i)] = parts[part], f"{part} {i}"
    return found


DECODER: Shapes = {
    "embedding": (VOCABULARY, WIDTH), "norm": (WIDTH,), "head": (VOCABULARY, WIDTH),
    "query": (WIDTH, WIDTH), "key": (KEYS, WIDTH), "value": (KEYS, WIDTH), "out": (WIDTH, WIDTH),
    "before": (WIDTH,), "between": (WIDTH,),
    "gate": (HIDDEN, WIDTH), "up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN),
}  # fmt: skip
SQUARE: Shapes = {k: (WIDTH, WIDTH) if len(shape) == 2 else shape for k, shape in DECODER.items()}
LLAMA = {
    "embedding": "model.embed_tokens.weight", "norm": "model.norm.weight", "head": "lm_head.weight",
    "query": "model.layers.{i}.self_attn.q_proj.weight", "key": "model.layers.{i}.self_attn.k_proj.weight",
    "value": "model.layers.{i}.self_attn.v_proj.weight", "out": "model.layers.{i}.self_attn.o_proj.weight",
    "before": "model.layers.{i}.input_layernorm.weight",
    "between": "model.layers.{i}.post_attention_layernorm.weight",
    "gate": "model.layers.{i}.mlp.gate_proj.weight", "up": "model.layers.{i}.mlp.up_proj.weight",
    "down": "model.layers.{i}.mlp.down_proj.weight",
}  # fmt: skip
FAIRSCALE = {
    "embedding": "tok_embeddings.weight", "norm": "norm.weight", "head": "output.weight",
    "query": "layers.{i}.attention.wq.weight", "key": "layers.{i}.attention.wk.weight",
    "value": "layers.{i}.attention.wv.weight",
    "out": "layers.{i}.attention.wo.weight", "before": "layers.{i}.attention_norm.weight",
    "between": "layers.{i}.ffn_norm.weight",
    "gate": "layers.{i}.feed_forward.w1.weight", "up": "layers.{i}.feed_forward.w3.weight",
    "down": "layers.{i}.feed_forward.w2.weight",
}  # fmt: skip
NUMBERED = {
    "embedding": "transformer.wte.weight", "norm": "transformer.ln_f.weight", "head": "lm_head.weight",
    "query": "transformer.h.{i}.attn.q.weight", "key": "transformer.h.{i}.attn.k.weight",
    "value": "transformer.h.{i}.attn.v.weight",
    "out": "transformer.h.{i}.attn.c_proj.weight", "before": "transformer.h.{i}.ln_1.weight",
    "between": "transformer.h.{i}.ln_2.weight",
    "gate": "transformer.h.{i}.mlp.gate.weight", "up": "transformer.h.{i}.mlp.up.weight",
    "down": "transformer.h.{i}.mlp.down.weight",
}  # fmt: skip
ENCODER: Shapes = {
    "words": (VOCABULARY, WIDTH), "places": (KEYS, WIDTH), "first": (WIDTH,),
    "query": (WIDTH, WIDTH), "key": (WIDTH, WIDTH), "value": (WIDTH, WIDTH), "out": (WIDTH, WIDTH),
    "after": (WIDTH,),
    "up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN), "last": (WIDTH,),
}  # fmt: skip
BERT = {
    "words": "embeddings.word_embeddings.weight", "places": "embeddings.position_embeddings.weight",
    "first": "embeddings.LayerNorm.weight", "query": "encoder.layer.{i}.attention.self.query.weight",
    "key": "encoder.layer.{i}.attention.self.key.weight",
    "value": "encoder.layer.{i}.attention.self.value.weight",
    "out": "encoder.layer.{i}.attention.output.dense.weight",
    "after": "encoder.layer.{i}.attention.output.LayerNorm.weight",
    "up": "encoder.layer.{i}.intermediate.dense.weight", "down": "encoder.layer.{i}.output.dense.weight",
    "last": "encoder.layer.{i}.output.LayerNorm.weight",
}  # fmt: skip
DISTILLED = {
    "words": "distilbert.embeddings.word_embeddings.weight",
    "places": "distilbert.embeddings.position_embeddings.weight",
    "first": "distilbert.embeddings.LayerNorm.weight",
    "query": "distilbert.transformer.layer.{i}.attention.q_lin.weight",
    "key": "distilbert.transformer.layer.{i}.attention.k_lin.weight",
    "value": "distilbert.transformer.layer.{i}.attention.v_lin.weight",
    "out": "distilbert.transformer.layer.{i}.attention.out_lin.weight",
    "after": "distilbert.transformer.layer.{i}.sa_layer_norm.weight",
    "up": "distilbert.transformer.layer.{i}.ffn.lin1.weight",
    "down": "distilbert.transformer.layer.{i}.ffn.lin2.weight",
    "last": "distilbert.transformer.layer.{i}.output_layer_norm.weight",
}  # fmt: skip
FAIRSEQ = {
    "words": "encoder.embed_tokens.weight", "places": "encoder.embed_positions.weight",
    "first": "encoder.layernorm_embedding.weight",
    "query": "encoder.layers.{i}.self_attn.q_proj.weight",
    "key": "encoder.layers.{i}.self_attn.k_proj.weight",
    "value": "encoder.layers.{i}.self_attn.v_proj.weight",
    "out": "encoder.layers.{i}.self_attn.out_proj.weight",
    "after": "encoder.layers.{i}.self_attn_layer_norm.weight", "up": "encoder.layers.{i}.fc1.weight",
    "down": "encoder.layers.{i}.fc2.weight", "last": "encoder.layers.{i}.final_layer_norm.weight",
}  # fmt: skip
WRAPPED = {part: f"_orig_mod.module.{name}" for part, name in BERT.items()}
DECODERS = {"llama": LLAMA, "fairscale": FAIRSCALE, "numbered": NUMBERED}
ENCODERS = {"bert": BERT, "distilled": DISTILLED, "fairseq": FAIRSEQ, "wrapped": WRAPPED}
PAIRS = [
    *(
        pytest.param(a, b, DECODER, id=f"{m}-{n}")
        for m, a in DECODERS.items()
        for n, b in DECODERS.items()
        if m != n
    ),
    *(
        pytest.param(a, b, SQUARE, id=f"{m}-{n}-square")
        for m, a in DECODERS.items()
        for n, b in DECODERS.items()
        if m != n
    ),
    *(
        pytest.param(a, b, ENCODER, id=f"{m}-{n}")
        for m, a in ENCODERS.items()
        for n, b in ENCODERS.items()
        if m != n
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "parts"), PAIRS)
def test_schemes_of_families(ours: Mapping[str, str], theirs: Mapping[str, str], parts: Shapes) -> None:
    source, target = layers(ours, parts), layers(theirs, parts)
    found = matched({n: s for n, (s, _) in source.items()}, {n: s for n, (s, _) in target.items()})
    meant = {what: name for name, (_, what) in source.items()}
    assert {t: m.sources for t, m in found.items()} == {
        name: (meant[what],) for name, (_, what) in target.items()
    }


@pytest.mark.parametrize("rule", name_rules(), ids=lambda rule: rule.id)
def test_rules_of_names(rule: object) -> None:
    assert failing_name_cases(rule) == ()  # type: ignore[arg-type]  # pytest's ids hide the type


SPELLINGS: Sequence[tuple[str, tuple[str, ...]]] = (
    (
        "encoder.layer.0.attention.output.LayerNorm",
        ("encoder", "layer", "0", "attention", "output", "layer", "norm"),
    ),
    ("transformer_layer_0/feedforward_layer_norm", ("transformer", "layer", "0", "ffn", "layer", "norm")),
    ("block2a_expand_bn", ("block", "2", "0", "expand", "batch", "norm")),
    ("conv2d_1", ("conv", "1")),
    ("SelfAttention.relative_attention_bias", ("self", "attention", "relative", "attention", "bias")),
)


@pytest.mark.parametrize(("name", "expected"), SPELLINGS, ids=[name for name, _ in SPELLINGS])
def test_words(name: str, expected: tuple[str, ...]) -> None:
    assert words(name) == expected


def block(names: Shapes, count: int = 3) -> dict[str, tuple[int, ...]]:
    """The tensors of every block."""
    return {name.format(i=i): shape for i in range(count) for name, shape in names.items()}


REST = {"layers.{i}.self_attn.o_proj.weight": (WIDTH, WIDTH)}
FUSED = {
    "qkv": (
        "self_attn.qkv_proj",
        (3 * WIDTH, WIDTH),
        "self_attn.{}_proj",
        "qkv",
        "layers.1.self_attn.k_proj.weight",
        (WIDTH, 2 * WIDTH),
    ),
    "gate-up": (
        "mlp.gate_up_proj",
        (2 * HIDDEN, WIDTH),
        "mlp.{}_proj",
        ("gate", "up"),
        "layers.1.mlp.up_proj.weight",
        (HIDDEN, 2 * HIDDEN),
    ),
}


def sides(key: str) -> tuple[Shapes, Shapes]:
    """A model with a fused matrix, and one that has its parts apart."""
    name, shape, parts, letters, *_ = FUSED[key]
    one = (shape[0] // len(letters), shape[1])
    apart = {f"layers.{{i}}.{parts.format(p)}.weight": one for p in letters}
    return block({**REST, f"layers.{{i}}.{name}.weight": shape}), block({**REST, **apart})


@pytest.mark.parametrize("key", FUSED)
def test_fused_into_parts(key: str) -> None:
    *_, target, rows = FUSED[key]
    found = matched(*sides(key))[target]
    assert (
        found.transform,
        found.parameters["axis"],
        found.parameters["start"],
        found.parameters["stop"],
    ) == ("slice", 0, *rows)


@pytest.mark.parametrize("key", FUSED)
def test_parts_into_fused(key: str) -> None:
    fused, apart = sides(key)
    found = [m for m in matched(apart, fused).values() if FUSED[key][4] in m.sources]
    assert [(m.transform, m.parameters["axis"]) for m in found] == [("fuse", 0)]


def test_query_key_value_by_head_is_never_sure() -> None:
    fused, apart = sides("qkv")
    found = matched({n.replace("qkv_proj", "query_key_value"): s for n, s in fused.items()}, apart).values()
    sliced = [m.confidence for m in found if m.transform == "slice"]
    assert len(sliced) == 9
    assert max(sliced) <= SURE


@pytest.mark.parametrize("ours", DECODERS.values(), ids=DECODERS)
def test_gates_and_ups_are_never_sure(ours: Mapping[str, str]) -> None:
    shapes = {n: s for n, (s, _) in layers(ours, DECODER).items()}
    other = {n: s for n, (s, _) in layers(FAIRSCALE if ours is not FAIRSCALE else LLAMA, DECODER).items()}
    found = [
        m
        for m in matched(shapes, other).values()
        if "gate" in m.target or "up_" in m.target or "w1" in m.target or "w3" in m.target
    ]
    assert len(found) == 6
    assert all(m.confidence <= SURE and m.runners_up for m in found)


@pytest.mark.parametrize("missing", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_block_too_few_is_not_filled_by_another(missing: int) -> None:
    shapes = {n: s for n, (s, _) in layers(LLAMA, DECODER).items()}
    source = {n: s for n, s in shapes.items() if f".{missing}." not in n}
    found = matched(source, {n.removeprefix("model."): s for n, s in shapes.items()})
    assert not [t for t in found if f"layers.{missing}." in t]
    assert all(m.sources == (t if t.startswith("lm_") else f"model.{t}",) for t, m in found.items())


ANONYMOUS = {f"{i}.{part}.weight": (WIDTH, WIDTH) for i in range(3) for part in ("a", "b", "c")}
OTHERWISE = {f"{i}.{part}.weight": (WIDTH, WIDTH) for i in range(3) for part in ("x", "y", "z")}


def test_anonymous_names_are_never_sure() -> None:
    assert max((m.confidence for m in matched(ANONYMOUS, OTHERWISE).values()), default=0) <= SURE


class Loader:
    """What loads a tensor; alive as long as the tensor is."""

    def __call__(self) -> Array:
        return refuse()


def test_no_cache_keeps_tensors_alive_after_their_matching() -> None:
    alive: WeakSet[Loader] = WeakSet()
    sides = []
    for scheme in (LLAMA, FAIRSCALE):
        loaders = {name: Loader() for name in layers(scheme, DECODER)}
        alive.update(loaders.values())
        shapes = {name: shape for name, (shape, _) in layers(scheme, DECODER).items()}
        tensors = tuple(Tensor(n, "", s, "float32", n, loaders[n]) for n, s in shapes.items())
        sides.append(graph_of("model.safetensors", "safetensors", "", StateDict(tensors)))
    assert len(match(sides[0], sides[1], Options()).matches) == len(sides[1].tensors)
    del sides, loaders, tensors
    gc.collect()
    assert len(alive) == 0


TOWERS = {
    f"{tower}_model.{name}": (WIDTH,) if "norm" in name else (WIDTH, WIDTH)
    for tower in ("text", "vision")
    for name in ("encoder.layers.0.mlp.fc1.weight", "encoder.layers.0.layer_norm1.weight",
        "encoder.layers.1.mlp.fc1.weight",
                 "encoder.layers.1.layer_norm1.weight", "post_layernorm.weight")
}  # fmt: skip


def test_towers_keep_their_own_norms() -> None:
    names = {
        n: n.replace("text_model", "b.language")
        .replace("vision_model", "a.visual")
        .replace("post_", "final_")
        for n in TOWERS
    }
    found = matched(TOWERS, {names[n]: shape for n, shape in TOWERS.items()})
    assert {t: m.sources for t, m in found.items()} == {new: (old,) for old, new in names.items()}


def recurrent(gates: int, layer: str) -> dict[str, tuple[int, ...]]:
    """torch's names of one direction of one layer of 5 units on 5 values."""
    rows = gates * 5
    parts = {"weight_ih": (rows, 5), "weight_hh": (rows, 5), "bias_ih": (rows,), "bias_hh": (rows,)}
    return {f"rnn.{part}_{layer}": shape for part, shape in parts.items()}


def cells(name: str, gates: int, bias: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}/kernel": (5, gates * 5),
        f"{name}/recurrent_kernel": (5, gates * 5),
        f"{name}/bias": bias,
    }


RECURRENT = {
    "lstm": (4, (20,), {"order": [0, 1, 2, 3], "join": "sum"}, "g i -> i g"),
    "gru": (3, (2, 15), {"order": [1, 0, 2], "join": "stack"}, "gates"),
    "rnn": (1, (5,), {"order": [0], "join": "sum"}, "g i -> i g"),
}


@pytest.mark.parametrize(("gates", "bias", "joined", "kernel"), RECURRENT.values(), ids=RECURRENT)
def test_recurrent_layers_of_torch(
    gates: int, bias: tuple[int, ...], joined: dict[str, object], kernel: str
) -> None:
    source = {**recurrent(gates, "l0"), **recurrent(gates, "l0_reverse")}
    name = {4: "lstm", 3: "gru", 1: "simple_rnn"}[gates]
    target = {
        **cells(f"bidirectional/backward_{name}", gates, bias),
        **cells(f"bidirectional/forward_{name}", gates, bias),
    }
    found = matched(source, target)
    assert found[f"bidirectional/forward_{name}/bias"].parameters == joined
    assert found[f"bidirectional/backward_{name}/kernel"].sources == ("rnn.weight_ih_l0_reverse",)
    assert found[f"bidirectional/forward_{name}/kernel"].transform == kernel


BLOCK: Shapes = {
    "conv1.weight": (8, 4, 3, 3), "bn1.weight": (8,), "bn1.running_mean": (8,), "conv2.weight": (8, 8, 3, 3),
    "bn2.weight": (8,),
    "bn2.running_mean": (8,), "downsample.0.weight": (8, 4, 1, 1), "downsample.1.weight": (8,),
    "downsample.1.running_mean": (8,),
}  # fmt: skip
RENAMED = {
    "conv1": "first",
    "bn1": "first_norm",
    "conv2": "second",
    "bn2": "second_norm",
    "downsample.0": "aside",
    "downsample.1": "aside_norm",
}


def test_norms_follow_their_convolutions() -> None:
    names = {n: f"{RENAMED[n.rpartition('.')[0]]}.{n.rpartition('.')[2]}" for n in BLOCK}
    found = matched(
        block({f"layer{{i}}.{n}": s for n, s in BLOCK.items()}),
        block({f"unit{{i}}.{names[n]}": s for n, s in BLOCK.items()}),
    )
    assert {t: m.sources for t, m in found.items()} == {
        f"unit{i}.{names[n]}": (f"layer{i}.{n}",) for i in range(3) for n in BLOCK
    }


FLATTENED = {"0.weight": (6, 3, 3, 3), "2.weight": (8, 6, 3, 3), "5.weight": (10, 8 * 16)}
DENSE = {"conv_a/kernel": (3, 3, 3, 6), "conv_b/kernel": (3, 3, 6, 8), "dense/kernel": (8 * 16, 10)}


def test_a_flatten_that_neither_file_shows_is_said() -> None:
    found = match(graph(FLATTENED), graph(DENSE), Options())
    (dense,) = (m for m in found.matches if m.target == "dense/kernel")
    assert (dense.transform, dict(dense.parameters)) == ("o (c h w) -> (h w c) o", {"c": 8, "h": 4, "w": 4})
    assert dense.confidence <= SURE
    assert [f.target for f in found.findings if f.code == "WB404"] == ["dense/kernel"]


def test_scalars_beside_convolutions_are_no_bug() -> None:
    bounds = {"3.input_min": (), "3.input_max": ()}
    found = match(graph({**FLATTENED, **bounds}), graph(DENSE), Options())
    assert [m.sources for m in found.matches if m.target == "dense/kernel"] == [("5.weight",)]


def test_a_dense_layer_behind_pooling_is_not_doubted() -> None:
    found = match(
        graph({**FLATTENED, "5.weight": (10, 8)}), graph({**DENSE, "dense/kernel": (8, 10)}), Options()
    )
    assert not [f for f in found.findings if f.code == "WB404"]
    assert [m.transform for m in found.matches if m.target == "dense/kernel"] == ["o i -> i o"]
