"""Weights that a state dict stores in parts arrive as they are used: norms, LoRA, masks, scaled integers."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import weightbridge as wb
from weightbridge.model.tensors import Array

Arrays = dict[str, Array]
RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, 4)).astype("f4")
CONV = RNG.normal(size=(6, 4, 3)).astype("f4")
G = RNG.uniform(1, 2, size=(6, 1, 1)).astype("f4")
G_TRANSPOSED = RNG.uniform(1, 2, size=(1, 4, 1)).astype("f4")
U, V = RNG.normal(size=6).astype("f4"), RNG.normal(size=12).astype("f4")
A, B = RNG.normal(size=(2, 4)).astype("f4"), RNG.normal(size=(6, 2)).astype("f4")
A_CONV, B_CONV = RNG.normal(size=(2, 4, 3)).astype("f4"), RNG.normal(size=(6, 2, 1)).astype("f4")
MASK = (RNG.random(size=(6, 4)) > 0.5).astype("f4")
FLOAT8 = (W * 100).astype(ml_dtypes.float8_e4m3fn)
INT8 = np.round(W * 30).astype(np.int8)
ROWS = RNG.uniform(1, 2, size=6).astype("f4")
WIDE = RNG.normal(size=(130, 257)).astype(ml_dtypes.float8_e4m3fn)
BLOCKS = RNG.uniform(1, 2, size=(2, 3)).astype("f4")


def length(kernel: Array, *axes: int) -> Array:
    return np.asarray(np.sqrt(np.square(kernel).sum(axis=axes, keepdims=True)))


def spread(blocks: Array) -> Array:
    return np.repeat(np.repeat(blocks, 128, 0), 128, 1)[:130, :257]


SIGMA = float(U @ CONV.reshape(6, 12) @ V)
NORMED = G * CONV / length(CONV, 1, 2)
CASES: dict[str, tuple[Arrays, Array, str]] = {
    "weight norm": ({"c.weight_g": G, "c.weight_v": CONV}, NORMED, "weight-norm"),
    "weight norm, new": (
        {"c.parametrizations.weight.original0": G, "c.parametrizations.weight.original1": CONV},
        NORMED,
        "weight-norm",
    ),
    "weight norm along another axis": (
        {"c.weight_g": G_TRANSPOSED, "c.weight_v": CONV},
        G_TRANSPOSED * CONV / length(CONV, 0, 2),
        "weight-norm",
    ),
    "weight norm of everything": (
        {"c.weight_g": np.float32(3), "c.weight_v": CONV},
        3 * CONV / length(CONV, 0, 1, 2),
        "weight-norm",
    ),
    "spectral norm": (
        {"c.weight_orig": CONV, "c.weight_u": U, "c.weight_v": V},
        CONV / SIGMA,
        "spectral-norm",
    ),
    "spectral norm, new": (
        {
            "c.parametrizations.weight.original": CONV,
            "c.parametrizations.weight.0._u": U,
            "c.parametrizations.weight.0._v": V,
        },
        CONV / SIGMA,
        "spectral-norm",
    ),
    "a pruning mask": ({"c.weight_orig": W, "c.weight_mask": MASK}, W * MASK, "masked"),
    "LoRA": (
        {"c.base_layer.weight": W, "c.lora_A.default.weight": A, "c.lora_B.default.weight": B},
        W + 4 * B @ A,
        "low-rank",
    ),
    "LoRA of a convolution": (
        {"c.base_layer.weight": CONV, "c.lora_A.x.weight": A_CONV, "c.lora_B.x.weight": B_CONV},
        CONV + 4 * np.einsum("or,riw->oiw", B_CONV[..., 0], A_CONV),
        "low-rank",
    ),
    "LoRA of a table": (
        {"c.base_layer.weight": W, "c.lora_embedding_A.default": B.T, "c.lora_embedding_B.default": A.T},
        W + 4 * B @ A,
        "low-rank",
    ),
    "LoRA of 8-bit weights": (
        {
            "c.base_layer.weight": INT8,
            "c.base_layer.SCB": ROWS,
            "c.lora_A.default.weight": A,
            "c.lora_B.default.weight": B,
        },
        INT8 * ROWS[:, None] / 127 + 4 * B @ A,
        "computed",
    ),
    "float8": (
        {"c.weight": FLOAT8, "c.weight_scale": np.float32([0.5])},
        FLOAT8.astype("f4") / 2,
        "dequantise",
    ),
    "float8 by rows": (
        {"c.weight": FLOAT8, "c.weight_scale": ROWS[:, None], "c.input_scale": np.float32([1])},
        FLOAT8.astype("f4") * ROWS[:, None],
        "dequantise",
    ),
    "float8 in blocks": (
        {"c.weight": WIDE, "c.weight_scale_inv": BLOCKS},
        WIDE.astype("f4") * spread(BLOCKS),
        "dequantise",
    ),
    "int8 of bitsandbytes": (
        {"c.weight": INT8, "c.SCB": ROWS, "c.weight_format": np.uint8([0])},
        INT8 * ROWS[:, None] / 127,
        "dequantise",
    ),
}


def checked(folder: Path, stored: Arrays, shape: tuple[int, ...], **options: Any) -> wb.Report:
    """The report of a transfer into a plain state dict."""
    save_file({name: np.ascontiguousarray(a) for name, a in stored.items()}, folder / "s.safetensors")
    save_file(
        {"c.weight": np.zeros(shape, "f4"), "c.bias": np.zeros(shape[0], "f4")}, folder / "t.safetensors"
    )
    return wb.transfer(
        folder / "s.safetensors",
        folder / "t.safetensors",
        folder / "o.safetensors",
        overwrite=True,
        verify=False,
        on_fail="return",
        **options,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_weight_arrives_as_it_is_used(tmp_path: Path, name: str) -> None:
    stored, expected, transform = CASES[name]
    bias = RNG.normal(size=expected.shape[0]).astype("f4")
    key = "c.base_layer.bias" if "c.base_layer.weight" in stored else "c.bias"
    report = checked(tmp_path, stored | {key: bias}, expected.shape, source_arguments={"lora_alpha": 8})
    assert report.exit_code == 0
    assert report.plan is not None
    steps = {step.target: step for step in report.plan.steps}
    assert steps["c.weight"].transform == transform
    assert steps["c.bias"].sources == (key,)
    used = {name for step in steps.values() for name in step.sources}
    assert used | {unused.source for unused in report.plan.unused} == {*stored, key}
    written = load_file(tmp_path / "o.safetensors")
    np.testing.assert_allclose(written["c.weight"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(written["c.bias"], bias)


LORA = CASES["LoRA"][0]
UNKNOWN: dict[str, tuple[Arrays, str, str]] = {
    "LoRA without alpha": (LORA, "WB109", "lora_alpha=ALPHA"),
    "two adapters": (
        LORA | {"c.lora_A.other.weight": A, "c.lora_B.other.weight": B},
        "WB109",
        "2 adapters",
    ),
    "an adapter alone": ({n: a for n, a in LORA.items() if "lora_" in n}, "WB105", "merge"),
    "GPTQ": (
        {
            "c.qweight": np.ones((1, 6), "i4"),
            "c.qzeros": np.ones((1, 1), "i4"),
            "c.scales": np.ones((1, 6), "f2"),
            "c.g_idx": np.zeros(4, "i4"),
        },
        "WB109",
        "GPTQ",
    ),
    "AWQ": (
        {
            "c.qweight": np.ones((4, 1), "i4"),
            "c.qzeros": np.ones((1, 1), "i4"),
            "c.scales": np.ones((1, 6), "f2"),
        },
        "WB109",
        "AWQ",
    ),
    "4 bits": (
        {
            "c.weight": np.ones((12, 1), "u1"),
            "c.weight.absmax": np.ones(1, "f4"),
            "c.weight.quant_map": np.ones(16, "f4"),
            "c.weight.quant_state.bitsandbytes__nf4": np.ones(9, "u1"),
        },
        "WB109",
        "bitsandbytes",
    ),
    "int8 alone": ({"c.weight": INT8}, "WB109", "no scale"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_computed_is_an_error_without_a_step(tmp_path: Path, name: str) -> None:
    stored, code, words = UNKNOWN[name]
    report = checked(tmp_path, stored, (6, 4))
    assert report.exit_code == 1
    finding = next(f for f in report.findings if f.code == code)
    assert finding.severity == "error"
    assert words in finding.message + finding.fix
    assert report.plan is not None
    assert not [step for step in report.plan.steps if step.sources]
    assert {unused.source for unused in report.plan.unused} == set(stored)


def test_the_configuration_of_an_adapter_has_its_alpha(tmp_path: Path) -> None:
    config = {"lora_alpha": 2, "r": 2, "alpha_pattern": {"c": 6}, "use_rslora": False}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert checked(tmp_path, LORA, (6, 4), fresh="c.bias").exit_code == 0
    written = load_file(tmp_path / "o.safetensors")
    np.testing.assert_allclose(written["c.weight"], W + 3 * B @ A, rtol=1e-5)


def test_a_map_of_a_part_is_a_map_of_the_weight(tmp_path: Path) -> None:
    stored = CASES["weight norm"][0]
    report = checked(tmp_path, stored, CONV.shape, map={"c.weight_v": "c.weight"}, fresh="c.bias")
    assert report.exit_code == 0


def test_between_two_of_one_kind_the_parts_are_copied(tmp_path: Path) -> None:
    stored = CASES["weight norm"][0]
    for side in "st":
        save_file(
            {name: np.ascontiguousarray(a) for name, a in stored.items()}, tmp_path / f"{side}.safetensors"
        )
    report = wb.check(tmp_path / "s.safetensors", tmp_path / "t.safetensors")
    assert report.plan is not None
    assert {step.kind for step in report.plan.steps} == {"copy"}


def test_a_plan_of_computed_weights_can_be_saved_and_carried_out(tmp_path: Path) -> None:
    stored, expected, _ = CASES["LoRA of 8-bit weights"]
    alpha = {"lora_alpha": 8}
    checked(tmp_path, stored, (6, 4), source_arguments=alpha, fresh="c.bias")
    paths = tmp_path / "s.safetensors", tmp_path / "t.safetensors"
    wb.plan(*paths, source_arguments=alpha, fresh="c.bias").save(tmp_path / "plan.json")
    options = {"plan": tmp_path / "plan.json", "source_arguments": alpha, "verify": False}
    report = wb.transfer(*paths, tmp_path / "p.safetensors", **options)
    assert report.exit_code == 0
    np.testing.assert_allclose(
        load_file(tmp_path / "p.safetensors")["c.weight"], expected, rtol=1e-5, atol=1e-6
    )
