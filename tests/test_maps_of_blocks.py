"""--map of whole blocks: attentions, wrappers and nested models; and globs that leave some names out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, sequential, source
from network_files import Config, dense, wired, write
from torch_files import held, zip_file

import weightbridge as wb
from weightbridge.errors import UsageError
from weightbridge.plan import Step

SIZE = 8
LINEAR = {"weight": (SIZE, SIZE), "bias": (SIZE,)}
ATTENTION = {
    "in_proj_weight": (3 * SIZE, SIZE),
    "in_proj_bias": (3 * SIZE,),
    "out_proj.weight": (SIZE, SIZE),
    "out_proj.bias": (SIZE,),
}
PARTS = ("query", "key", "value")


def checkpoint(folder: Path, blocks: Mapping[str, Mapping[str, tuple[int, ...]]]) -> Path:
    shapes = {f"{block}.{part}": shape for block, parts in blocks.items() for part, shape in parts.items()}
    arrays = {name: np.full(shape, n, "f4") for n, (name, shape) in enumerate(shapes.items())}
    return zip_file(folder / "source.pth", *held(arrays))


def attention(name: str) -> Config:
    return layer("MultiHeadAttention", name, num_heads=2, key_dim=4, build=[None, 5, SIZE])


def attending(folder: Path, *names: str) -> Path:
    fed = {names[0]: ("x", "x"), names[1]: (names[0], names[0])}
    return write(folder, "target", wired(source("x", [5, SIZE]), *map(attention, names), **fed))


def nested(folder: Path, file: str, *blocks: str) -> Path:
    """Nested models of one shape."""
    models = [
        sequential(source("in", [SIZE]), dense("first", SIZE), dense("second", SIZE), name=block)
        for block in blocks
    ]
    return write(folder, file, wired(source("x", [SIZE]), *models, dense("top", 2)))


def wrapped(folder: Path, file: str, *names: str) -> Path:
    """Two recurrent layers in both directions, of one shape, behind a dense layer for each step."""
    cells = [
        layer("Bidirectional", name, layer=layer("LSTM", f"{name}_cell", units=4, return_sequences=True))
        for name in names[1:]
    ]
    steps = layer("TimeDistributed", names[0], layer=dense("inner", SIZE))
    return write(folder, file, wired(source("x", [5, SIZE]), steps, *cells))


def steps_of(report: wb.Report) -> dict[str, Step]:
    assert report.plan is not None
    return {step.target: step for step in report.plan.steps}


@pytest.mark.parametrize("names", [("attn_a", "attn_b"), ("multi_head_attention", "multi_head_attention_1")])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_an_attention_is_mapped_with_its_fused_projection(
    tmp_path: Path, names: tuple[str, str], is_swapped: bool
) -> None:
    given = checkpoint(tmp_path, {f"enc.layers.{n}.self_attn": ATTENTION for n in (0, 1)})
    order = (1, 0) if is_swapped else (0, 1)
    told = {f"enc.layers.{n}.self_attn": name for n, name in zip(order, names, strict=True)}
    report = wb.check(given, attending(tmp_path, *names), map=told)
    steps = steps_of(report)
    for block, name in told.items():
        for place, part in enumerate(PARTS):
            step = steps[f"{name}/{part}/kernel"]
            assert step.sources == (f"{block}.in_proj_weight",)
            assert step.parameters["start"] == place * SIZE
            assert step.evidence[0] == "map"
        assert steps[f"{name}/attention_output/kernel"].sources == (f"{block}.out_proj.weight",)
    assert "WB204" not in {found.code for found in report.findings}


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"one": "b", "two": "a"}, id="by name"),
        pytest.param({"{one,two}": "{b,a}"}, id="braces"),
    ],
)
def test_nested_models_are_mapped_whole(tmp_path: Path, told: dict[str, str]) -> None:
    pair = nested(tmp_path, "source", "one", "two"), nested(tmp_path, "target", "a", "b")
    steps = steps_of(wb.check(*pair, map=told))
    for given, wanted in (("one", "b"), ("two", "a")):
        for part in ("first/kernel", "first/bias", "second/kernel", "second/bias"):
            assert steps[f"{wanted}/{part}"].sources == (f"{given}/{part}",)


def test_a_block_of_a_checkpoint_is_a_nested_model(tmp_path: Path) -> None:
    given = checkpoint(tmp_path, {f"{block}.{n}": LINEAR for block in ("enc", "dec") for n in (0, 2)})
    report = wb.check(given, nested(tmp_path, "target", "a", "b"), map={"enc": "b", "dec": "a"}, fresh="top")
    steps = steps_of(report)
    assert steps["b/first/kernel"].sources == ("enc.0.weight",)
    assert steps["a/second/bias"].sources == ("dec.2.bias",)


def test_wrappers_are_mapped_whole(tmp_path: Path) -> None:
    pair = wrapped(tmp_path, "source", "td", "bi", "ri"), wrapped(tmp_path, "target", "time", "both", "rest")
    steps = steps_of(wb.check(*pair, map={"bi": "rest", "ri": "both", "td": "time"}))
    assert steps["time/inner/kernel"].sources == ("td/inner/kernel",)
    assert steps["rest/forward_rest_cell/kernel"].sources == ("bi/forward_bi_cell/kernel",)
    assert steps["both/backward_both_cell/bias"].sources == ("ri/backward_ri_cell/bias",)


def test_a_single_map_inside_a_block_comes_first(tmp_path: Path) -> None:
    pair = nested(tmp_path, "source", "one", "two"), nested(tmp_path, "target", "a", "b")
    steps = steps_of(wb.check(*pair, map={"one": "a", "one/first": "a/second", "one/second": "a/first"}))
    assert steps["a/second/kernel"].sources == ("one/first/kernel",)
    assert steps["a/first/kernel"].sources == ("one/second/kernel",)


def test_a_block_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    given = checkpoint(tmp_path, {"enc.0": {"weight": (5, 5)}, "enc.1": {"weight": (7, 5)}, "top": LINEAR})
    with pytest.raises(UsageError, match="--map enc=a"):
        wb.check(given, nested(tmp_path, "target", "a"), map={"enc": "a"}, adapt="none")


def test_a_glob_says_what_it_leaves_out(tmp_path: Path) -> None:
    pair = nested(tmp_path, "source", "one", "two", "three"), nested(tmp_path, "target", "a_one", "a_two")
    report = wb.check(*pair, map={"*": "a_*"}, unused="three")
    (said,) = [found for found in report.findings if found.code == "WB212"]
    assert "three/first (a_three/first)" in said.message
    assert "top (a_top)" in said.message
    assert "one" not in said.message.partition("left out")[2].replace("a_", "")


def test_a_glob_that_joins_all_that_it_meets_says_nothing(tmp_path: Path) -> None:
    pair = nested(tmp_path, "source", "one", "two"), nested(tmp_path, "target", "a_one", "a_two")
    report = wb.check(*pair, map={"{one,two}*": "a_{one,two}*"})
    assert "WB212" not in {found.code for found in report.findings}


def test_a_scope_may_be_declared(tmp_path: Path) -> None:
    pair = nested(tmp_path, "source", "one", "two"), nested(tmp_path, "target", "one", "two", "three")
    report = wb.check(*pair, fresh="three")
    assert "WB202" not in {found.code for found in report.findings}
    assert {s.target.split("/")[0] for s in steps_of(report).values() if not s.sources} == {"three"}
