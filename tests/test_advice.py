"""Advice: every option that a finding names is given as it is printed, and changes what it promises."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from advice_texts import fixes
from keras_files import layer, source
from network_files import conv, dense, residual, wired, write
from torch_files import held, zip_file

import weightbridge as wb
from weightbridge.cli.check import command
from weightbridge.cli.group import COMMANDS, cli
from weightbridge.errors.diagnostics import Finding

OPTION = re.compile(r"--[a-z][a-z-]*(?: '[^']*'| (?:none|same|weights)\b)?")
Pair = tuple[Path, Path]


def dense_pair(folder: Path, theirs: Sequence[tuple[str, int]], ours: Sequence[tuple[str, int]]) -> Pair:
    pair = [wired(source("x", [4]), *(dense(name, size) for name, size in side)) for side in (theirs, ours)]
    return write(folder, "source", pair[0]), write(folder, "target", pair[1])


def state(folder: Path, **shapes: tuple[int, ...]) -> Path:
    arrays = {name.replace("__", "."): np.ones(shape, "f4") for name, shape in shapes.items()}
    return zip_file(folder / "source.pth", *held(arrays))


def new_head(folder: Path) -> Pair:
    return dense_pair(folder, [("a", 4)], [("a", 4), ("mlp_1", 9), ("mlp_2", 7), ("logits", 3)])


def surplus(folder: Path) -> Pair:
    return dense_pair(
        folder, [("a", 4), ("old_1", 9), ("b", 3), ("old_2", 8), ("aux", 2)], [("a", 4), ("b", 3)]
    )


def misfit(folder: Path) -> Pair:
    return dense_pair(folder, [("a", 6), ("b", 3)], [("a", 4), ("b", 3)])


def gated(folder: Path) -> Pair:
    """Two layers of one shape in each block, whose names say nothing."""
    shapes = {f"layers__{n}__{part}__weight": (4, 4) for n in range(2) for part in ("p", "q")}
    layers = [dense(f"block_{n}_{part}", 4, use_bias=False) for n in range(2) for part in ("one", "two")]
    return state(folder, **shapes), write(folder, "target", wired(source("x", [4]), *layers))


def one_of_two(folder: Path) -> Pair:
    """One convolution, which would fit either of two parallel ones."""
    theirs = wired(
        source("x", [8, 8, 4]), conv("p", 4), layer("GlobalAveragePooling2D", "pool"), dense("end", 3)
    )
    both = (conv("one", 4), conv("two", 4), layer("Add", "sum"))
    rest = (layer("GlobalAveragePooling2D", "pool"), dense("end", 3))
    ours = wired(source("x", [8, 8, 4]), *both, *rest, one=("x",), two=("x",), sum=("one", "two"))
    return write(folder, "source", theirs), write(folder, "target", ours)


def classes(folder: Path) -> Pair:
    made = [residual(classes=n) for n in (10, 7)]
    return write(folder, "source", made[0]), write(folder, "target", made[1])


def architectures(folder: Path) -> Pair:
    def network(start: str, widths: Sequence[int], taps: int) -> Any:
        layers = [source("x", [32, 32, 3])]
        for n, width in enumerate(widths):
            layers.append(conv(f"{start}{n}", width, taps, strides=[1 + n % 2, 1 + n % 2], use_bias=True))
        pool = layer("GlobalAveragePooling2D", f"{start}_pool")
        return wired(*layers, pool, dense(f"{start}_out", 5 + taps))

    ours = network("b", (10, 12, 14, 18, 20, 22, 26, 28, 30), 5)
    return write(folder, "source", network("a", (8, 8, 12, 12, 16, 16, 24, 24), 3)), write(
        folder, "target", ours
    )


Make = Callable[[Path], Pair]
SITUATIONS: Mapping[str, tuple[Make, str, Mapping[str, Any]]] = {
    "a new head": (new_head, "WB202", {}),
    "surplus layers, apart": (surplus, "WB203", {}),
    "another size, adapters off": (misfit, "WB201", {"adapt": "none"}),
    "layers that could change places": (gated, "WB204", {}),
    "one source, two places": (one_of_two, "WB204", {"adapt": "none"}),
    "other classes": (classes, "WB303", {}),
    "another architecture": (architectures, "WB309", {}),
}


def said(pair: Pair, options: Mapping[str, Any]) -> tuple[Finding, ...]:
    return wb.check(*pair, **options).findings


def advised(fix: str) -> list[str]:
    """The options of an advice, as they are printed."""
    return OPTION.findall(fix)


def given(options: Mapping[str, Any], advice: Sequence[str]) -> dict[str, Any]:
    """The keywords of options as a shell reads them."""
    made: dict[str, Any] = dict(options)
    for word in advice:
        name, *value = shlex.split(word)
        if name == "--map":
            made["map"] = [*made.get("map", ()), tuple(value[0].split("=", 1))]
        elif name in ("--fresh", "--unused"):
            made[name[2:]] = [*made.get(name[2:], ()), *value]
        else:
            made[name[2:].replace("-", "_")] = value[0] if value else True
    return made


@pytest.mark.parametrize(("make", "code", "options"), SITUATIONS.values(), ids=SITUATIONS)
def test_what_is_advised_ends_what_was_said(
    tmp_path: Path, make: Make, code: str, options: Mapping[str, Any]
) -> None:
    pair = make(tmp_path)
    before = [found for found in said(pair, options) if found.code == code]
    assert before
    for found in before:
        advice = advised(found.fix)
        assert advice, found.fix
        if "leave out --adapt none" in found.fix:
            assert found not in said(pair, {})
            advice = [word for word in advice if word != "--adapt none"]
        advice = advice[:1] if " or --map" in found.fix else advice
        if code == "WB303":  # a note stays: what is advised declares the head
            assert "WB202" not in {f.code for f in said(pair, given(options, advice))}
        else:
            assert found not in said(pair, given(options, advice)), found.fix


@pytest.mark.parametrize(("make", "code", "options"), SITUATIONS.values(), ids=SITUATIONS)
def test_all_advice_together_leaves_nothing_of_the_code(
    tmp_path: Path, make: Make, code: str, options: Mapping[str, Any]
) -> None:
    if code in ("WB303", "WB201"):
        pytest.skip("told one by one above")
    pair = make(tmp_path)
    found = [f for f in said(pair, options) if f.code == code]
    advice = [word for f in found for word in advised(f.fix)[: 1 if " or --map" in f.fix else None]]
    assert code not in {f.code for f in said(pair, given(options, advice))}


@pytest.mark.parametrize("make", [gated], ids=["gated"])
def test_an_answered_plan_asks_no_more(tmp_path: Path, make: Make) -> None:
    from dataclasses import replace

    pair = make(tmp_path)
    plan = wb.plan(*pair)
    assert plan.questions
    for letter in (c.label for c in plan.questions[0].choices):
        told = replace(plan, questions=tuple(replace(q, answer=letter) for q in plan.questions))
        assert "WB204" not in {f.code for f in wb.check(*pair, plan=told).findings}


def test_neighbours_are_one_finding_and_those_apart_are_two(tmp_path: Path) -> None:
    codes = [(f.code, f.target) for f in said(new_head(tmp_path), {}) if f.code == "WB202"]
    assert codes == [("WB202", "mlp_1")]
    fixes = [f.fix for f in said(surplus(tmp_path), {}) if f.code == "WB203"]
    assert len(fixes) == 2
    assert any("'{old_2,aux}'" in fix for fix in fixes)


KNOWN = {
    option
    for name in COMMANDS
    for parameter in getattr(cli.get_command(None, name), "params", ())  # type: ignore[arg-type]
    for option in parameter.opts
    if option.startswith("--")
}
OF_OTHERS = {"--tflite", "--graphdef", "--inputs", "--outputs", "--output", "--reason"}  # tf2onnx, baseline


def test_no_fix_names_what_is_not_there() -> None:
    texts = fixes()
    assert len(texts) > 150
    for text in texts:
        assert "--adapt same" not in text, "it is the default"
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= KNOWN | OF_OTHERS, text


def test_the_command_is_one_of_click() -> None:
    assert isinstance(command, click.Command)
    assert {"--map", "--fresh", "--unused", "--details"} <= KNOWN
