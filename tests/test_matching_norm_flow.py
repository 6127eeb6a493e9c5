"""Norms with automatic names: the data flow tells which part of a block they belong to."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, source
from network_files import Config, dense, wired, write
from torch_files import held, zip_file

import weightbridge as wb

SIZE, INNER, BLOCKS = 8, 12, 2
Shapes = Mapping[str, tuple[int, ...]]
FUSED = {
    "self_attn.in_proj_weight": (3 * SIZE, SIZE),
    "self_attn.in_proj_bias": (3 * SIZE,),
    "self_attn.out_proj.weight": (SIZE, SIZE),
    "self_attn.out_proj.bias": (SIZE,),
}
APART = {
    f"attention.{part}_proj.{kind}": shape
    for part in ("q", "k", "v", "o")
    for kind, shape in (("weight", (SIZE, SIZE)), ("bias", (SIZE,)))
}
FORWARD = {
    "linear1.weight": (INNER, SIZE),
    "linear1.bias": (INNER,),
    "linear2.weight": (SIZE, INNER),
    "linear2.bias": (SIZE,),
}


def checkpoint(folder: Path, attention: Shapes, norms: tuple[str, str]) -> Path:
    vectors = {f"{norm}.{kind}": (SIZE,) for norm in norms for kind in ("weight", "bias")}
    shapes = {
        f"layers.{n}.{name}": shape
        for n in range(BLOCKS)
        for name, shape in {**attention, **FORWARD, **vectors}.items()
    }
    arrays = {name: np.ones(shape, "f4") for name, shape in sorted(shapes.items())}
    return zip_file(folder / "source.pth", *held(arrays))


def encoder(folder: Path, is_before: bool) -> Path:
    """Two blocks with norms before their parts or behind the sums, named as Keras counts."""
    layers: list[Config] = [source("x", [5, SIZE])]
    fed: dict[str, tuple[str, ...]] = {}
    last, norm = "x", iter(["layer_normalization", *(f"layer_normalization_{n}" for n in range(1, 9))])
    for n in range(BLOCKS):
        for part in ("attention", "forward"):
            before = _norm(layers, fed, next(norm), last) if is_before else last
            end = (
                _attention(layers, fed, n, before)
                if part == "attention"
                else _forward(layers, fed, n, before)
            )
            name = f"add_{2 * n + (part == 'forward')}"
            layers.append(layer("Add", name))
            fed[name] = (end, last)
            last = name if is_before else _norm(layers, fed, next(norm), name)
    return write(folder, "target", wired(*layers, **fed))


def _norm(layers: list[Config], fed: dict[str, tuple[str, ...]], name: str, before: str) -> str:
    layers.append(layer("LayerNormalization", name, axis=[-1], epsilon=1e-5))
    fed[name] = (before,)
    return name


def _attention(layers: list[Config], fed: dict[str, tuple[str, ...]], n: int, before: str) -> str:
    name = "multi_head_attention" + (f"_{n}" if n else "")
    build = {"shapes_dict": {"query_shape": [None, 5, SIZE], "value_shape": [None, 5, SIZE]}}
    one = layer("MultiHeadAttention", name, num_heads=2, key_dim=4)
    layers.append(one | {"build_config": build})
    fed[name] = (before, before)
    return name


def _forward(layers: list[Config], fed: dict[str, tuple[str, ...]], n: int, before: str) -> str:
    up, down = f"dense_{2 * n}", f"dense_{2 * n + 1}"
    layers += [dense(up, INNER, activation="relu"), dense(down, SIZE)]
    fed |= {up: (before,), down: (up,)}
    return down


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("attention", [FUSED, APART], ids=["fused", "apart"])
@pytest.mark.parametrize("norms", [("norm1", "norm2"), ("ln_1", "ln_2"), ("attention_norm", "ffn_norm")])
def test_both_norms_of_a_block_are_told_by_their_place(
    tmp_path: Path, is_before: bool, attention: Shapes, norms: tuple[str, str]
) -> None:
    report = wb.check(checkpoint(tmp_path, attention, norms), encoder(tmp_path, is_before))
    assert report.plan is not None
    taken = {step.target: step for step in report.plan.steps}
    for n in range(2 * BLOCKS):
        name = "layer_normalization" + (f"_{n}" if n else "")
        assert taken[f"{name}/gamma"].sources == (f"layers.{n // 2}.{norms[n % 2]}.weight",)
        assert taken[f"{name}/beta"].confidence > 0.9
    assert not [f for f in report.findings if f.code == "WB204" and "norm" in (f.target or "")]


def test_norms_that_say_nothing_on_the_other_side_are_asked_about(tmp_path: Path) -> None:
    report = wb.check(checkpoint(tmp_path, FUSED, ("alpha", "omega")), encoder(tmp_path, True))
    assert report.plan is not None
    sure = [s for s in report.plan.steps if "normalization" in s.target and s.confidence > 0.9]
    assert not sure
