"""A plan with folded norms, changed by hand: the norm goes with the kernel, or the plan is refused."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import Op, saved, values
from safetensors.numpy import save_file

import weightbridge as wb
from weightbridge.errors import PlanError
from weightbridge.formats import read
from weightbridge.plan.file import dumps

Arrays = dict[str, np.ndarray]
PARTS = {"weight": 1, "bias": 2, "running_mean": 3, "running_var": 4}


def block(name: str, seed: int, *, has_bias: bool, has_norm: bool = True) -> Arrays:
    arrays = {f"conv{name}.weight": values((4, 4, 3, 3), seed)}
    arrays |= {f"conv{name}.bias": values((4,), seed + 50)} if has_bias else {}
    norm = {f"bn{name}.{part}": values((4,), seed + 10 * n) for part, n in PARTS.items()}
    return arrays | (norm if has_norm else {})


def pair(folder: Path, *, has_bias: bool, has_norm: bool = True) -> tuple[Path, Path, Arrays]:
    """Convolutions with norms, and the same as an exporter writes them; conv9 goes nowhere."""
    arrays = block("1", 1, has_bias=has_bias) | block("2", 2, has_bias=has_bias)
    arrays |= block("9", 9, has_bias=has_bias, has_norm=False) if not has_norm else {}
    save_file(arrays, folder / "s.safetensors")
    kept = {
        f"conv{n}.{part}": values(s, 7)
        for n in "12"
        for part, s in (("weight", (4, 4, 3, 3)), ("bias", (4,)))
    }
    ops: list[Op] = [
        ("Conv", ["x", "conv1.weight", "conv1.bias"], ["a"], {"pads": [1] * 4}),
        ("Relu", ["a"], ["r"], {}),
        ("Conv", ["r", "conv2.weight", "conv2.bias"], ["y"], {"pads": [1] * 4}),
    ]
    target = saved(folder / "t.onnx", ops, kept, {"x": [1, 4, 8, 8]}, ["y"])
    return folder / "s.safetensors", target, arrays


def folded(arrays: Mapping[str, np.ndarray], kernel: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    scale = arrays[f"bn{norm}.weight"] / np.sqrt(arrays[f"bn{norm}.running_var"] + 1e-5)
    shift = arrays.get(f"conv{kernel}.bias", 0) - arrays[f"bn{norm}.running_mean"]
    return arrays[f"conv{kernel}.weight"] * scale[:, None, None, None], shift * scale + arrays[
        f"bn{norm}.bias"
    ]


def transferred(models: tuple[Path, Path], edit: Callable[[dict[str, Any]], None]) -> tuple[np.ndarray, ...]:
    data = json.loads(dumps(wb.plan(*models)))
    edit({one["target"]: one for one in data["steps"]})
    plan, output = models[0].with_name("p.json"), models[0].with_name("o.onnx")
    plan.write_text(json.dumps(data))
    wb.transfer(*models, output, plan=plan, verify=False)
    written = {t.name: t.load() for t in read(output).tensors}
    return written["conv1.weight"], written["conv1.bias"]


def replaced(one: dict[str, Any], old: str, new: str) -> None:
    one["sources"] = [name.replace(old, new) for name in one["sources"]]


EDITS: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "nothing": (lambda steps: None, "1", "1"),
    "the kernel": (lambda steps: replaced(steps["conv1.weight"], "conv1", "conv2"), "2", "2"),
    "the whole step": (lambda steps: replaced(steps["conv1.weight"], "1.", "2."), "2", ""),
}


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("edit", EDITS)
def test_the_norm_goes_with_the_kernel(tmp_path: Path, edit: str, has_bias: bool) -> None:
    source, target, arrays = pair(tmp_path, has_bias=has_bias)
    change, kernel, norm = EDITS[edit]
    found = transferred((source, target), change)
    np.testing.assert_allclose(found[0], folded(arrays, kernel, norm or kernel)[0], rtol=1e-5)
    if norm:  # of a step that was changed whole the bias stays as it is written
        np.testing.assert_allclose(found[1], folded(arrays, kernel, norm)[1], rtol=1e-5)
    else:
        np.testing.assert_allclose(found[1], folded(arrays, "1", "1")[1], rtol=1e-5)


def test_a_norm_of_another_layer_on_purpose_stays(tmp_path: Path) -> None:
    source, target, arrays = pair(tmp_path, has_bias=False)
    found = transferred((source, target), lambda steps: replaced(steps["conv1.weight"], "bn1", "bn2"))
    np.testing.assert_allclose(found[0], folded(arrays, "1", "2")[0], rtol=1e-5)


def test_a_kernel_without_a_norm_is_refused_beside_another_s(tmp_path: Path) -> None:
    source, target, _ = pair(tmp_path, has_bias=False, has_norm=False)
    with pytest.raises(PlanError, match=r"takes conv9\.weight with the norm of another layer"):
        transferred((source, target), lambda steps: replaced(steps["conv1.weight"], "conv1", "conv9"))
