"""The library says what it takes, by the names of the command line, and its values print in one line."""

import inspect
import re
import types
import xml.etree.ElementTree as ET
from base64 import b64decode
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from report_samples import HOSTILE, hostile, sample, step, write_keras

import weightbridge as wb
from weightbridge.boundary.options import silent
from weightbridge.cli.group import COMMANDS
from weightbridge.plan import Plan, Unused

FUNCTIONS = [name for name in wb.__all__ if inspect.isfunction(getattr(wb, name))]
MEMBERS = (types.FunctionType, property, staticmethod)
METHODS = [
    (kind, name)
    for kind in (wb.Report, wb.Plan, wb.LayerGraph)
    for name, member in vars(kind).items()
    if not name.startswith("_") and isinstance(member, MEMBERS)
]
OF_THE_COMMAND = {"reports", "details", "quiet", "no_progress", "help"}  # a function returns its report
OF_THE_FUNCTION = {"progress", "on_fail"}
LIBRARY_NAMES = {
    "pairs": "map",
    "source_arg": "source_arguments",
    "target_arg": "target_arguments",
    "no_verify": "verify",
}
# wb.features and wb.stitch return a model, which no policy judges; a picture, and a run over all pairs of a
# policy, are the command's own.
APART = {
    "inspect": {"view", "output"},
    "check": {"config"},
    "plan": {"output", "config", "locked"},
    "features": {"rules", "policy", "fail_on", "baseline"},
    "stitch": {"rules", "policy", "fail_on", "baseline"},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_has_types_and_tells_every_argument(name: str) -> None:
    function = getattr(wb, name)
    parameters = inspect.signature(function).parameters.values()
    assert [p.name for p in parameters if p.annotation is inspect.Parameter.empty] == []
    assert [p for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)] == []
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty
    text = inspect.getdoc(function) or ""
    assert len(text.splitlines()[0]) <= 110
    assert [p.name for p in parameters if not re.search(rf"\b{p.name}\b[^\n]*[:,]", text)] == []
    assert "Raises " in text
    assert ">>> " in text or name == "inspect"


@pytest.mark.parametrize(("kind", "name"), METHODS, ids=[f"{kind.__name__}.{name}" for kind, name in METHODS])
def test_a_public_method_has_types_and_a_docstring(kind: type, name: str) -> None:
    member = inspect.getattr_static(kind, name)
    function = member.fget if isinstance(member, property) else getattr(kind, name)
    assert inspect.getdoc(function)
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name in COMMANDS])
def test_options_have_the_names_of_the_command(name: str) -> None:
    command = import_module(COMMANDS[name][0]).command
    assert isinstance(command, click.Command)
    of_command = {
        LIBRARY_NAMES.get(one.name or "", one.name)
        for one in command.params
        if isinstance(one, click.Option) and one.name not in OF_THE_COMMAND | APART.get(name, set())
    }
    if name == "stitch":  # `--after` says what FROM means; a function has two names for the two
        assert "after" in of_command
    parameters = inspect.signature(getattr(wb, name)).parameters
    arguments = {one.name for one in command.params if isinstance(one, click.Argument)}
    assert of_command | arguments | OF_THE_FUNCTION >= set(parameters)
    assert set(parameters) >= of_command


def test_the_default_of_an_option_is_the_commands() -> None:
    for name in ("check", "transfer", "verify"):
        parameters = inspect.signature(getattr(wb, name)).parameters
        assert parameters["progress"].default is silent
        assert parameters["fail_on"].default is None, "a policy's goes before the default"


def test_a_report_is_one_line_in_a_prompt() -> None:
    assert repr(sample("check")) == "<Report check: warn, 10 of 13 tensors exact, 3 warnings, 1 note>"
    assert repr(wb.Report("inspect", "pass")) == "<Report inspect: pass>"
    assert repr(hostile()).count("\n") == 0


def test_a_plan_and_a_graph_are_one_line_in_a_prompt(tmp_path: Path) -> None:
    plan = Plan((step("a", "b"), step("c", kind="fresh"), step("d", "e")), (Unused("x", "optimizer"),))
    assert repr(plan) == "<Plan: 3 steps (2 copy, 1 fresh), 1 source tensors unused>"
    assert repr(Plan((), ())) == "<Plan: no steps, 0 source tensors unused>"
    write_keras(tmp_path / "a.keras", (4, 3), ("first",), seed=1)
    graph = wb.read(tmp_path / "a.keras")
    assert repr(graph).endswith("a.keras': keras-zip, 2 layers, 2 tensors, 15 parameters>")
    object.__setattr__(graph, "path", HOSTILE)
    assert repr(graph).isprintable()


def test_a_dict_is_the_json_of_the_command(tmp_path: Path) -> None:
    from weightbridge.report.render.json import render

    report = sample("check")
    assert report.to_dict() == report.to_json()
    assert render(report.to_dict()) == render(report.to_json())
    assert report.to_dict()["coverage"]["fraction"] == pytest.approx(report.coverage.fraction, abs=1e-6)


class Tags(HTMLParser):
    """The tags and attributes of a piece of HTML, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [value or "" for name, value in attrs if name == "src"]
        self.open += [tag] if tag not in ("br", "img") else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


REPORTS = {
    "check": sample("check"),
    "verify": sample("verify"),
    "error": wb.Report("inspect", "error"),
    "hostile": hostile(),
}
PLAIN = {*re.split(" ", "div p b i br span table tr td code details summary ul li pre img")}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_notebook_shows_a_report_without_scripts_or_requests(report: wb.Report) -> None:
    tags = Tags(report._repr_html_())
    assert tags.open == []
    assert tags.seen <= PLAIN
    assert tags.attributes <= {"style", "class", "colspan", "open", "src", "alt"}
    assert all(one.startswith("data:image/svg+xml;base64,") for one in tags.sources)
    for picture in tags.sources:
        ET.fromstring(b64decode(picture.partition(",")[2]))
    assert report.verdict.upper() in tags.text
    assert [found.code for found in report.findings if found.code not in tags.text] == []
    assert str(report) in tags.text + "\n"


WRONG = {
    "check": ({"mapp": {}}, "Did you mean 'map'?"),
    "transfer": ({"overwite": True}, "Did you mean 'overwrite'?"),
    "verify": ({"evidnce": "full"}, "Did you mean 'evidence'?"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_name_is_answered_with_the_nearest(name: str) -> None:
    given, said = WRONG[name]
    with pytest.raises(wb.WeightbridgeError, match=re.escape(said)):
        getattr(wb, name)("a", "b", **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"adapt": "wieghts"}, "one of none, same, weights, fit. Did you mean 'weights'?"),
        ({"fail_on": "warn"}, "Did you mean 'warning'?"),
        ({"adapt": "everything"}, "one of none, same, weights, fit. Options have"),
        ({"adapt": 3}, "adapt=3: expected one of"),
    ],
    ids=["adapt", "fail_on", "far off", "no text"],
)
def test_a_wrong_choice_is_answered_with_the_nearest(given: dict[str, Any], said: str) -> None:
    with pytest.raises(wb.WeightbridgeError, match=re.escape(said)):
        wb.check("a", "b", **given)


def test_a_plan_saves_a_rule_as_the_command_does(tmp_path: Path) -> None:
    from weightbridge.cli import main

    for name, seed in (("a", 1), ("b", 2)):
        write_keras(tmp_path / f"{name}.keras", (4, 3, 2), ("first", "second"), seed=seed)
    paths: tuple[Any, Any] = (tmp_path / "a.keras", tmp_path / "b.keras")
    rules = tmp_path / "ours.toml", tmp_path / "theirs.toml"
    wb.plan(*paths, save_rule=rules[0])
    with pytest.raises(SystemExit):
        main(["plan", *map(str, paths), str(tmp_path / "p.json"), "--save-rule", str(rules[1]), "--quiet"])
    assert rules[0].read_text() == rules[1].read_text()
    with pytest.raises(wb.WeightbridgeError, match="exists"):
        wb.plan(*paths, save_rule=rules[0])
    assert wb.plan(*paths, save_rule=rules[0], overwrite=True).steps
