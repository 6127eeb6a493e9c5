"""torch's TransformerEncoder into Keras models whose names do not tell the blocks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
BLOCKS, SIZE = 3, 12
SHAPES = {
    "self_attn.in_proj_weight": (3 * SIZE, SIZE),
    "self_attn.in_proj_bias": (3 * SIZE,),
    "self_attn.out_proj.weight": (SIZE, SIZE),
    "self_attn.out_proj.bias": (SIZE,),
    "linear1.weight": (20, SIZE),
    "linear1.bias": (20,),
    "linear2.weight": (SIZE, 20),
    "linear2.bias": (SIZE,),
    "norm1.weight": (SIZE,),
    "norm1.bias": (SIZE,),
    "norm2.weight": (SIZE,),
    "norm2.bias": (SIZE,),
}
Named = Callable[[str, int], str | None]
NAMES: dict[str, Named] = {"automatic": lambda part, i: None, "last": lambda part, i: f"{part}_{i}"}


def build(path: Path, named: Named, is_norm_first: bool) -> list[dict[str, str]]:
    """Saves the model; the names of each block's layers by torch's names."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.backend.clear_session()
    x = keras.Input((7, SIZE))
    y, blocks = x, []
    for i in range(BLOCKS):

        def make(kind: Any, part: str, *arguments: Any, number: int = i, **options: Any) -> Any:
            name = named(part, number)
            return kind(*arguments, **options, **({"name": name} if name else {}))

        norms = [make(layers.LayerNormalization, f"norm{n}") for n in (1, 2)]
        attention = make(layers.MultiHeadAttention, "attn", 3, 4)
        down, up = make(layers.Dense, "linear2", SIZE), make(layers.Dense, "linear1", 20)
        if is_norm_first:
            normed = norms[0](y)
            y = y + attention(normed, normed)
            y = y + down(up(norms[1](y)))
        else:
            y = norms[0](y + attention(y, y))
            y = norms[1](y + down(up(y)))
        parts = {"norm1": norms[0], "norm2": norms[1], "linear1": up, "linear2": down, "self_attn": attention}
        blocks.append({torch: layer.name for torch, layer in parts.items()})
    keras.Model(x, y).save(path)
    return blocks


@pytest.mark.parametrize("is_norm_first", [False, True], ids=["post-norm", "pre-norm"])
@pytest.mark.parametrize("names", NAMES)
def test_blocks_are_paired_before_layers(tmp_path: Path, names: str, is_norm_first: bool) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        f"enc.layers.{i}.{n}": rng.normal(size=s).astype("f4")
        for i in range(BLOCKS)
        for n, s in SHAPES.items()
    }
    save_file(tensors, tmp_path / "s.safetensors")
    blocks = build(tmp_path / "t.keras", NAMES[names], is_norm_first)
    report = wb.check(tmp_path / "s.safetensors", tmp_path / "t.keras")
    assert report.exit_code == 0
    assert report.plan is not None
    owners = {layer: (i, part) for i, block in enumerate(blocks) for part, layer in block.items()}
    for step in report.plan.steps:
        number, part = owners[step.target.split("/")[0]]
        assert step.sources[0].startswith(f"enc.layers.{number}.{part}"), step.target
    cut = {s.target.split("/")[1]: s.parameters["start"] for s in report.plan.steps if s.transform == "slice"}
    assert cut == {"query": 0, "key": SIZE, "value": 2 * SIZE}
