"""The plan as a lockfile.

The same bytes, edited by hand and carried out as edited, refused where it fits no more.
"""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_samples import write_keras

import weightbridge as wb
from weightbridge.errors import OutputError, PlanError, UsageError
from weightbridge.plan.entries import STEP
from weightbridge.plan.file import dumps, fields_of

Edit = Callable[[dict[str, Any]], None]


def loads(text: str) -> wb.Plan:
    return wb.Plan(**fields_of(text))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two networks with two hidden layers of one shape, under other names."""
    source = write_keras(tmp_path / "source.keras", (4, 4, 4, 2), ("first", "second", "third"), seed=1)
    return source, write_keras(tmp_path / "target.keras", (4, 4, 4, 2), ("one", "two", "three"), seed=2)


@pytest.fixture
def data(pair: tuple[Path, Path]) -> Any:
    return json.loads(dumps(wb.plan(*pair)))


def step(data: Any, target: str) -> Any:
    return next(one for one in data["steps"] if one["target"] == target)


def edited(pair: tuple[Path, Path], data: Any, edit: Edit) -> Path:
    edit(data)
    path = pair[0].with_name("plan.json")
    path.write_text(json.dumps(data))
    return path


def transferred(pair: tuple[Path, Path], plan: Path) -> tuple[wb.Report, dict[str, np.ndarray]]:
    output = pair[0].with_name("output.keras")
    report = wb.transfer(*pair, output=output, plan=plan, verify=False, overwrite=True, fail_on="never")
    return report, {t.name: t.load() for t in wb.read(output).tensors}


def stored(path: Path, name: str) -> np.ndarray:
    return next(t for t in wb.read(path).tensors if t.name == name).load()


def test_the_same_models_give_the_same_bytes_that_give_the_same_plan(pair: tuple[Path, Path]) -> None:
    plan = wb.plan(*pair)
    assert dumps(plan) == dumps(wb.plan(*pair))
    assert dumps(loads(dumps(plan))) == dumps(plan)


def test_one_step_is_one_line(pair: tuple[Path, Path]) -> None:
    lines = [line for line in dumps(wb.plan(*pair)).splitlines() if '"target": "' in line]
    assert [json.loads(line.strip().rstrip(","))["target"] for line in lines] == [
        t.name for t in wb.read(pair[1]).tensors
    ]


def test_a_plan_goes_through_a_file(pair: tuple[Path, Path], tmp_path: Path) -> None:
    plan = wb.plan(*pair)
    plan.save(tmp_path / "p.json")
    assert wb.Plan.load(tmp_path / "p.json") == loads(dumps(plan))
    with pytest.raises(UsageError, match="exists already"):
        plan.save(tmp_path / "p.json")
    plan.save(tmp_path / "p.json", overwrite=True)
    with pytest.raises(OutputError, match="cannot be written"):
        plan.save(tmp_path / "none" / "p.json")


def test_a_plan_that_nobody_edited_does_what_no_plan_does(pair: tuple[Path, Path], data: Any) -> None:
    report, values = transferred(pair, edited(pair, data, lambda _: None))
    assert report.verdict == "pass"
    assert all(
        (values[t.name] == s.load()).all()
        for s, t in zip(wb.read(pair[0]).tensors, wb.read(pair[1]).tensors, strict=True)
    )


def test_another_source_is_taken(pair: tuple[Path, Path], data: Any) -> None:
    report, values = transferred(
        pair, edited(pair, data, lambda d: step(d, "two/kernel").update(sources=["first/kernel"]))
    )
    assert (values["two/kernel"] == stored(pair[0], "first/kernel")).all()
    assert [f.source for f in report.findings if f.code == "WB203"] == ["second/kernel"]


@pytest.mark.parametrize("kind", ["fresh", "keep"])
def test_one_word_leaves_a_tensor_as_the_target_has_it(pair: tuple[Path, Path], data: Any, kind: str) -> None:
    report, values = transferred(pair, edited(pair, data, lambda d: step(d, "two/kernel").update(kind=kind)))
    assert (values["two/kernel"] == stored(pair[1], "two/kernel")).all()
    found = next(s for s in report.plan.steps if s.target == "two/kernel") if report.plan else None
    assert found is not None
    assert (found.kind, found.sources) == (kind, ())
    assert found.contract == {"fresh": "fresh", "keep": "untouched"}[kind]
    assert report.to_json()["coverage"][{"fresh": "fresh", "keep": "kept"}[kind]] == 16


def test_another_transform_is_carried_out(pair: tuple[Path, Path], data: Any) -> None:
    plan = edited(
        pair, data, lambda d: step(d, "two/kernel").update(kind="transform", transform="i o -> o i")
    )
    _, values = transferred(pair, plan)
    assert (values["two/kernel"] == stored(pair[0], "second/kernel").T).all()


def test_a_declared_leftover_is_no_finding(pair: tuple[Path, Path], data: Any) -> None:
    def edit(plan: Any) -> None:
        step(plan, "two/kernel").update(kind="fresh")
        plan["unused"].append({"source": "second/kernel", "reason": "declared"})

    report, _ = transferred(pair, edited(pair, data, edit))
    assert [f.code for f in report.findings] == []


def change(path: Path, **edits: Any) -> None:
    """The same model with other values, or other names."""
    write_keras(
        path,
        edits.get("widths", (4, 4, 4, 2)),
        edits.get("names", ("first", "second", "third")),
        seed=edits.get("seed", 9),
    )


@pytest.mark.parametrize(
    ("side", "edits", "said"),
    [
        (
            0,
            {"seed": 9},
            "the source .*source.keras has changed since the plan was made: the same structure, other bytes",
        ),
        (
            0,
            {"names": ("first", "second", "last")},
            "the source .*source.keras has changed .*: other layers, tensors or attributes",
        ),
        (
            1,
            {"names": ("one", "two", "three")},
            "the target .*target.keras has changed .*: the same structure, other bytes",
        ),
        (
            1,
            {"names": ("one", "two", "three"), "widths": (4, 4, 4, 3)},
            "the target .*target.keras has changed .*: other layers",
        ),
    ],
    ids=["source-bytes", "source-structure", "target-bytes", "target-structure"],
)
def test_a_changed_model_is_refused_and_named(
    pair: tuple[Path, Path], data: Any, side: int, edits: Any, said: str
) -> None:
    plan = edited(pair, data, lambda _: None)
    change(pair[side], **edits)
    with pytest.raises(PlanError, match=said) as raised:
        wb.check(*pair, plan=plan)
    assert raised.value.exit_code == 2
    assert "make a new plan" in raised.value.fix


def set_step(**values: Any) -> Edit:
    return lambda data: data["steps"][2].update(values)


def drop_step(key: str) -> Edit:
    return lambda data: data["steps"][2].pop(key)


def adapter(name: str, **parameters: Any) -> Edit:
    return set_step(kind="adapt", contract="lossy", transform=name, parameters=parameters)


BAD: dict[str, tuple[Edit, str]] = {
    **{f"no {key}": (drop_step(key), f"the key '{key}' is missing") for key in STEP},
    **{f"{key} is null": (set_step(**{key: None}),
        f"{key} is None, expected") for key in STEP if key != "energy_kept"},
    **{f"{key} is an object": (set_step(**{key: {"a": [1]}}),
        rf"steps\[2\].*{key} is \{{") for key in STEP if key != "parameters"},
    **{f"{key} is true": (set_step(**{key: True}), f"{key} is True, expected") for key in STEP},
    "unknown key": (set_step(note="x"), "the key 'note' is not known"),
    "unknown kind": (set_step(kind="move"), "kind is 'move', expected 'copy' or"),
    "unknown transform": (set_step(kind="transform", transform="rotate"),
        "transform is 'rotate', expected an axes pattern"),
    "a pattern that loses an axis": (set_step(kind="transform", transform="a b -> a"),
        "transform is 'a b -> a'"),
    "a pattern of another rank": (set_step(kind="transform", transform="a b c -> c b a"),
        "two/kernel: .* does not turn the shape"),
    "a copy with a transform": (set_step(transform="a b -> b a"), "a copy has no transform"),
    "a wrong size": (set_step(size=15), "size is 15, expected 16"),
    "a negative length": (set_step(shape=[-4, -4]), "shape is"),
    "another shape": (set_step(shape=[2, 8]), r"two/kernel: shape \(2, 8\), expected \(4, 4\)"),
    "a source of another shape": (set_step(sources=["third/kernel"]),
        r"third/kernel has the shape \(4, 2\), expected"),
    "a source that is not there": (set_step(sources=["nowhere"]), "two/kernel: the source has no nowhere"),
    "two sources for a copy": (set_step(sources=["first/kernel", "second/kernel"]),
        "reads 1 tensors, and 2 are given"),
    "no source for a copy": (set_step(sources=[]), "reads 1 tensors, and 0 are given"),
    "confidence above one": (set_step(confidence=1.5), "confidence is 1.5"),
    "a claim that it cannot hold": (set_step(kind="adapt", transform="map-axes"), "'bitwise' is claimed"),
    "an adapter without parameters": (adapter("expected-statistics"), "'of' is missing"),
    "an adapter of another length": (adapter("map-axes", axes={"0": {"rule": "take", "from": 9, "to": 4}}),
        "two/kernel: "),
    "an unknown axis rule": (adapter("map-axes", axes={"0": {"rule": "spin", "from": 4, "to": 4}}),
        "'spin' is not known"),
    "parameters of another kind": (adapter("map-axes", axes=3), "cannot be carried out"),
    "a huge length": (adapter("map-axes", axes={"0": {"rule": "take", "from": 4, "to": 10**12}}),
        "the parameters hold 1000000000000"),
    "a huge product": (adapter("map-axes", axes={"0": {"rule": "take", "from": 4, "to": 60000,
        "outer": 60000}}), "no size of these"),
    "a huge matrix": (adapter("map-axes", axes={"0": {"rule": "mean", "from": 60000, "to": 60000}}),
        "no size of these tensors"),
    "a length as text": (adapter("map-axes", axes={"0": {"rule": "take", "from": 4, "to": "9999999999"}}),
        "to '9999999999'"),
    "a length as a fraction": (adapter("expected-statistics", of={"standard": 9e9}, statistic="mean"),
        "standard 9000000000.0"),
    "a huge constant": (set_step(kind="transform", contract="preserving", sources=[], transform="constant",
                                 parameters={"shape": [10**6, 10**6], "value": 0}), "no size of these"),
    "an endless select": (adapter("select", index=0, inner="select"), "'parameters' is missing"),
    "no steps": (lambda d: d.update(steps=[]), "no step for one/kernel"),
    "steps of another kind": (lambda d: d.update(steps={}), "steps is {}, expected a list"),
    "a step that is none": (lambda d: d["steps"].append(7), r"steps\[6\]: expected an object"),
    "a step too many": (lambda d: d["steps"].append({**d["steps"][0], "target": "four"}),
        "a step for four, which"),
    "two steps for one": (lambda d: d["steps"].append(d["steps"][0]), "2 steps for one/kernel"),
    "no step for one": (lambda d: d["steps"].pop(), "no step for three/bias"),
    "no source": (lambda d: d.pop("source"), "the key 'source' is missing"),
    "no hash": (lambda d: d["source"].pop("sha256"), "source: the key 'sha256' is missing"),
    "another version": (lambda d: d.update(plan_version=2), "plan_version is 2, expected 1"),
    "unused of another kind": (lambda d: d["unused"].append({"source": 1, "reason": "declared"}),
        "source is 1, expected a name"),
    "unused for no reason": (lambda d: d["unused"].append({"source": "a", "reason": "because"}),
        "reason is 'because'"),
    "unused that is not there": (lambda d: d["unused"].append({"source": "a", "reason": "declared"}),
        "unused: the source has no a"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_plan_that_makes_no_sense_is_refused_before_anything_is_written(
    pair: tuple[Path, Path], data: Any, name: str
) -> None:
    edit, said = BAD[name]
    with pytest.raises(PlanError, match=said) as raised:
        transferred(pair, edited(pair, data, edit))
    assert raised.value.exit_code == 2
    assert not pair[0].with_name("output.keras").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[]", "plan_version is None"),
        ("{", "no JSON"),
        ('{"plan_version": 1, "plan_version": 1}', "the key 'plan_version' stands twice"),
        ('{"plan_version": NaN}', "NaN is no number in JSON"),
        ('{"plan_version": -Infinity}', "-Infinity is no number in JSON"),
        ('{"plan_version": ' + "9" * 5000 + "}", "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"plan_version": 1' + "\udcff" + "}", "not UTF-8"),
    ],
    ids=["empty", "list", "cut", "duplicates", "nan", "infinity", "huge", "deep", "bytes"],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PlanError, match=said) as raised:
        wb.Plan.load(path)
    assert raised.value.where == str(path)


@pytest.mark.parametrize("name", ["none.json", "."])
def test_a_plan_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match="the plan cannot be read"):
        wb.Plan.load(tmp_path / name)


def test_infinite_numbers_in_parameters_are_refused(pair: tuple[Path, Path], data: Any) -> None:
    text = json.dumps(data).replace('"parameters": {}', '"parameters": {"value": 1e999}')
    with pytest.raises(PlanError, match="parameters is"):
        loads(text)


def test_nothing_that_json_can_hold_escapes_as_another_error(data: Any) -> None:
    """Every leaf of a plan replaced by each of these, the plan is loaded or refused in its own words."""
    values: list[Any] = [None, True, -1, 1e300, "", "x", [], [[]], {}, {"a": None}]
    for path in leaves(data):
        for value in values:
            broken = copy.deepcopy(data)
            place: Any = broken
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            with suppress(PlanError):
                loads(json.dumps(broken))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ([path] if path else []) + [found for key, one in pairs for found in leaves(one, (*path, key))]
