"""Rotary pairs side by side (Meta's checkpoints) and models that rotate halves: the order inside heads."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import weightbridge as wb
from weightbridge.model.tensors import Array

HEADS, KEPT, WIDTH, SIZE = 4, 2, 6, 24
RNG = np.random.default_rng(0)
NAMES = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
INSIDE = {
    "attention.wq.weight": "self_attn.q_proj.weight",
    "attention.wk.weight": "self_attn.k_proj.weight",
    "attention.wv.weight": "self_attn.v_proj.weight",
    "attention.wo.weight": "self_attn.o_proj.weight",
    "feed_forward.w1.weight": "mlp.gate_proj.weight",
    "feed_forward.w2.weight": "mlp.down_proj.weight",
    "feed_forward.w3.weight": "mlp.up_proj.weight",
    "attention_norm.weight": "input_layernorm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
}
SHAPES = {
    "wk": (KEPT * WIDTH, SIZE),
    "wv": (KEPT * WIDTH, SIZE),
    "w1": (40, SIZE),
    "w2": (SIZE, 40),
    "w3": (40, SIZE),
    "tok_embeddings": (97, SIZE),
    "output": (97, SIZE),
}


def paired() -> dict[str, Array]:
    """A checkpoint with Meta's names."""
    names = [*NAMES, *(f"layers.{i}.{name}" for i in range(2) for name in INSIDE)]
    arrays = {}
    for name in names:
        part = name.split(".")[-2]
        shape = (SIZE,) if "norm" in part else SHAPES.get(part, (SIZE, SIZE))
        arrays[name] = RNG.normal(size=shape).astype("f4")
    return arrays


def halves(arrays: dict[str, Array]) -> dict[str, Array]:
    """The same as Hugging Face has it: transformers' own `permute`."""
    turned = {}
    for name, array in arrays.items():
        layer, inner = name.split(".", 2)[:2], name.split(".", 2)[-1]
        new = NAMES.get(name) or f"model.layers.{layer[1]}.{INSIDE[inner]}"
        if ".wq." in name or ".wk." in name:
            heads = array.shape[0] // WIDTH
            halves = array.reshape(heads, WIDTH // 2, 2, SIZE).transpose(0, 2, 1, 3)
            turned[new] = np.ascontiguousarray(halves.reshape(array.shape))
        else:
            turned[new] = np.ascontiguousarray(array)
    return turned


FREQUENCIES = {"rope.freqs": np.arange(WIDTH // 2, dtype="f4")}
PARAMS = {"dim": SIZE, "n_heads": HEADS, "n_kv_heads": KEPT}


@pytest.mark.parametrize("told_by", ["rope.freqs", "params.json"])
@pytest.mark.parametrize("direction", ["to halves", "to pairs"])
def test_the_order_inside_heads_is_turned(tmp_path: Path, told_by: str, direction: str) -> None:
    pairs = paired()
    expected = halves(pairs)
    meta = pairs | (FREQUENCIES if told_by == "rope.freqs" else {})
    if told_by == "params.json":
        (tmp_path / "params.json").write_text(json.dumps(PARAMS))
    source, target, right = (
        (meta, expected, expected) if direction == "to halves" else (expected, meta, pairs)
    )
    save_file(source, tmp_path / "s.safetensors")
    save_file({n: np.zeros_like(a) for n, a in target.items()}, tmp_path / "t.safetensors")
    report = wb.transfer(*(tmp_path / f"{n}.safetensors" for n in "sto"), verify=False)
    assert report.exit_code == 0
    written = load_file(tmp_path / "o.safetensors")
    for name, array in right.items():
        np.testing.assert_array_equal(written[name], array, err_msg=name)
    assert report.plan is not None
    moved = {s.target for s in report.plan.steps if s.transform == "rotary-order"}
    assert len(moved) == 4
    assert {s.contract for s in report.plan.steps if s.target in moved} == {"bitwise"}


def test_an_unknown_number_of_heads_is_said(tmp_path: Path) -> None:
    pairs = paired()
    save_file(pairs, tmp_path / "s.safetensors")
    save_file(halves(pairs), tmp_path / "t.safetensors")
    report = wb.check(tmp_path / "s.safetensors", tmp_path / "t.safetensors")
    (finding,) = [f for f in report.findings if f.code == "WB404"]
    assert "params.json" in finding.fix
    assert report.plan is not None
    unsure = [s for s in report.plan.steps if "q_proj" in s.target or "k_proj" in s.target]
    assert max(s.confidence for s in unsure) < 0.9


@pytest.mark.parametrize("names", ["pairs", "halves"])
def test_two_of_one_order_are_copied(tmp_path: Path, names: str) -> None:
    arrays = paired() if names == "pairs" else halves(paired())
    for side in "st":
        save_file(arrays, tmp_path / f"{side}.safetensors")
    report = wb.check(tmp_path / "s.safetensors", tmp_path / "t.safetensors")
    assert report.plan is not None
    assert {step.kind for step in report.plan.steps} == {"copy"}
    assert not report.findings
