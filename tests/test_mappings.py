"""Mapping rules: what a plan is sure of is saved, read, tested and applied to the next checkpoint of a
family, of any size that fits.
"""

from pathlib import Path

import pytest

from weightbridge.commands import rules as rulebook
from weightbridge.errors import RuleError
from weightbridge.matching.pairing.by_mapping import by_mapping
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.plan import Plan, Step
from weightbridge.planning.mapping_text import mapping_of
from weightbridge.rules.mappings import Entry, failing_mapping_cases, read_mapping

Shape = tuple[int, ...]


def never() -> Array:
    raise AssertionError("matching reads no values")


def graph(framework: str, **shapes: Shape) -> LayerGraph:
    tensors = (Tensor(name, "kernel", shape, "float32", name, never) for name, shape in shapes.items())
    return LayerGraph(
        "model", "safetensors", framework, layers=tuple(Layer(t.name, "Dense", tensors=(t,)) for t in tensors)
    )


def step(target: str, source: str, shape: Shape, transform: str = "", confidence: float = 0.95) -> Step:
    return Step(
        target,
        (source,),
        "transform" if transform else "copy",
        "bitwise",
        shape,
        8,
        transform,
        confidence=confidence,
    )


PLAN = Plan(
    (
        step("block_1/out/kernel", "layers.0.out.weight", (2, 4), "o i -> i o"),
        step("block_2/out/kernel", "layers.1.out.weight", (2, 4), "o i -> i o"),
        step("norm/gamma", "norm.weight", (4,)),
        step("block_1/gate/kernel", "layers.0.gate.weight", (2, 4), "o i -> i o", confidence=0.8),
    ),
    (),
)
SHAPES = {
    "layers.0.out.weight": (4, 2),
    "layers.1.out.weight": (4, 2),
    "norm.weight": (4,),
    "layers.0.gate.weight": (4, 2),
}


def saved(folder: Path, plan: Plan = PLAN) -> Path:
    (folder / "family.toml").write_text(mapping_of(plan, "a family", SHAPES))
    return folder / "family.toml"


def test_numbers_become_variables_and_blocks_one_entry(tmp_path: Path) -> None:
    rule = read_mapping(saved(tmp_path))
    assert [(e.sources, e.target) for e in rule.entries] == [
        (("layers.{n-1}.out.weight",), "block_{n}/out/kernel"),
        (("norm.weight",), "norm/gamma"),
    ]


def test_what_is_a_question_is_no_rule(tmp_path: Path) -> None:
    assert "gate" not in saved(tmp_path).read_text()
    with pytest.raises(RuleError, match="sure of no step"):
        mapping_of(Plan(PLAN.steps[3:], ()), "", SHAPES)


def test_a_saved_rule_passes_its_own_cases(tmp_path: Path) -> None:
    saved(tmp_path)
    assert rulebook.tested(tmp_path).problems == ()
    assert rulebook.tested(tmp_path).cases == 2


def test_a_case_that_does_not_hold_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text(
        path.read_text().replace('target = "block_{n}/out/kernel"', 'target = "other_{n}/out/kernel"')
    )
    assert failing_mapping_cases(read_mapping(path))


@pytest.mark.parametrize(
    ("source", "target", "matched"),
    [
        pytest.param(
            {"layers.6.out.weight": (64, 32)},
            {"block_7/out/kernel": (32, 64)},
            True,
            id="another block and another size",
        ),
        pytest.param(
            {"layers.7.out.weight": (64, 32)},
            {"block_7/out/kernel": (32, 64)},
            False,
            id="the source is not there",
        ),
        pytest.param(
            {"layers.6.out.weight": (64, 32)},
            {"block_7/out/kernel": (64, 32)},
            False,
            id="shapes that do not fit",
        ),
        pytest.param(
            {"layers.6.out.weight": (64, 32)}, {"block_7/in/kernel": (32, 64)}, False, id="another name"
        ),
        pytest.param({"norm.weight": (9,)}, {"norm/gamma": (9,)}, True, id="a copy"),
        pytest.param({"norm.weight": (9,)}, {"norm/gamma": (8,)}, False, id="a copy of another shape"),
    ],
)
def test_a_rule_fits_the_next_of_the_family(
    tmp_path: Path, source: dict[str, Shape], target: dict[str, Shape], matched: bool
) -> None:
    found = by_mapping([read_mapping(saved(tmp_path))], graph("torch", **source), graph("keras", **target))
    assert [(m.sources, m.confidence, m.evidence) for m in found] == (
        [(tuple(source), 1.0, ("rule",))] if matched else []
    )


@pytest.mark.parametrize(
    ("target", "sources"),
    [
        pytest.param("b_3/x_4", ("a.4.3",), id="two numbers"),
        pytest.param("b_3/x_x", None, id="no number"),
        pytest.param("b_0/x_0", ("a.0.0",), id="zero"),
    ],
)
def test_variables_are_filled(target: str, sources: tuple[str, ...] | None) -> None:
    assert Entry(("a.{m}.{n}",), "b_{n}/x_{m}").sources_for(target) == sources


def test_a_number_below_zero_is_no_name() -> None:
    assert Entry(("a.{n-1}",), "b_{n}").sources_for("b_0") is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param('summary = "x"\nmap = []\ncase = []', "at least one case", id="no cases"),
        pytest.param(
            "map = []\ncase = [{fits = true}, {fits = false}]", "'summary' is missing", id="no summary"
        ),
        pytest.param(
            'summary = "x"\nmap = [{source = ["a"], target = "b", colour = 1}]\ncase = []',
            "colour",
            id="unknown key",
        ),
        pytest.param('summary = "x"\nmap = 1\ncase = []', "cannot be read", id="map is no table"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(RuleError, match=what):
        read_mapping(tmp_path / "wrong.toml")
