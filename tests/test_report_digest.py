"""The digest: its numbers are the report's, its commands parse and name what is there, and it is short.

Reports of real checks of small files, and one with thousands of findings.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from cli_calls import exit_code
from keras_files import source
from network_files import dense, wired, write
from report_samples import hostile, sample, step, write_keras
from test_advice import architectures, classes, gated, misfit, new_head, one_of_two, surplus

import weightbridge as wb
from weightbridge.boundary.globs import glob, met
from weightbridge.cli import parsing
from weightbridge.cli.group import COMMANDS
from weightbridge.errors.diagnostics import CODES, finding
from weightbridge.plan import Plan, Unused
from weightbridge.report.digest import digest
from weightbridge.report.digest.globs import fewest
from weightbridge.report.digest.values import Digest, Json
from weightbridge.report.render.json import render as json_text
from weightbridge.report.render.renderers import RENDERERS, renderer
from weightbridge.report.render.text import render
from weightbridge.report.values import ModelSummary, Report
from weightbridge.report.verification import Verification

FIRST = re.compile(r"^(PASS|WARN|FAIL|INCONCLUSIVE|VACUOUS|ERROR) \w+ +(.+)$")
COUNT = re.compile(r"([\d,]+) (error|warning|note)s?")
Pair = tuple[Path, Path]


def renamed(folder: Path) -> Pair:
    pair = [wired(source("x", [4]), dense(a, 4), dense(b, 3)) for a, b in (("a", "b"), ("one", "two"))]
    return write(folder, "source", pair[0]), write(folder, "target", pair[1])


def fails_with_more(folder: Path) -> Pair:
    """A new layer at each end, and layers that are left over."""
    theirs = wired(source("x", [4]), dense("old_1", 9), dense("a", 5), dense("old_2", 8), dense("end", 3))
    ours = wired(source("x", [4]), dense("new_1", 7), dense("a", 5), dense("label", 2))
    return write(folder, "source", theirs), write(folder, "target", ours)


KINDS: dict[str, tuple[Callable[[Path], Pair], dict[str, Any]]] = {
    "renamed": (renamed, {}),
    "new head": (new_head, {}),
    "surplus": (surplus, {}),
    "misfit": (misfit, {"adapt": "none"}),
    "gated": (gated, {}),
    "one of two": (one_of_two, {}),
    "classes": (classes, {}),
    "another": (architectures, {}),
    "adapted": (architectures, {"adapt": "weights"}),
    "more": (fails_with_more, {"fail_on": "error"}),
}


@pytest.fixture(params=KINDS)
def report(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Json:
    monkeypatch.chdir(tmp_path)
    make, options = KINDS[request.param]
    return checked(make(tmp_path), **options).to_json()


def checked(pair: Pair, **options: Any) -> Report:
    """The files hold no weights (WB105), of which nothing is to be said here."""
    Path("policy.toml").write_text('[severity]\nWB105 = "off"\n')
    return wb.check(*(path.name for path in pair), policy="policy.toml", **options)


def test_text_is_short_and_narrow(report: Json) -> None:
    lines = render(report).splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100


def test_first_and_last_line_are_the_reports_numbers(report: Json) -> None:
    lines = render(report).splitlines()
    found = FIRST.match(lines[0])
    assert found
    counts = {severity: int(number.replace(",", "")) for number, severity in COUNT.findall(found[2])}
    severities = [one["severity"] for one in report["findings"]]
    assert counts == {severity: severities.count(severity) for severity in set(severities)}
    assert lines[-1].endswith(f"exit {report['exit_code']}")


def test_every_code_stands_there_once(report: Json) -> None:
    text = render(report)
    found = re.findall(r"^  (WB\d+) [a-z-]+:|^  note .*\((WB\d+)\)$", text, re.MULTILINE)
    codes = [first or second for first, second in found]
    assert sorted(codes) == sorted({one["code"] for one in report["findings"]})


def test_the_shares_sum_up(report: Json) -> None:
    made = digest(report)
    assert sum(row.parameters for row in made.ledger) == report["coverage"]["parameters"]
    assert sum(row.tensors for row in made.ledger) == len(report["steps"])


def test_counts_of_a_group_are_the_ledgers(report: Json) -> None:
    groups = {group.code: group for group in digest(report).groups}
    left = [entry for entry in report["unused"] if entry["reason"] == "unexplained"]
    if "WB203" in groups:
        assert groups["WB203"].text.startswith(f"{len(left)} source tensor")
    if "WB202" in groups:
        names = {name for one in groups["WB202"].findings for name in re.split(r"[, ]+", one["message"])}
        assert all(entry.head in " ".join(names) for entry in groups["WB202"].entries)


def test_folded_names_are_names_of_the_models(report: Json) -> None:
    text = render(report)
    assert not re.search(r"\{[^}]*,[^}]*\}", text)
    graphs = report["graphs"].values()
    names = [name for graph in graphs for layer in graph["layers"] for name in (layer[0], *layer[3])]
    for pattern in re.findall(r"\S*\{\d+\.\.\d+\}\S*", text):
        assert len(met(pattern, names)) > 1


def test_commands_parse_and_their_globs_meet_something(report: Json) -> None:
    for way in digest(report).ways:
        context = parsed(way.arguments)
        names = {"fresh": names_of(report, "target"), "unused": names_of(report, "source")}
        for option, known in names.items():
            assert all(met(text, known) for text in context.params.get(option, ()))


def names_of(report: Json, side: str) -> list[str]:
    return [name for layer in report["graphs"][side]["layers"] for name in (layer[0], *layer[3])]


def parsed(arguments: tuple[str, ...]) -> click.Context:
    program, name, *rest = arguments
    assert program == "weightbridge"
    command: click.Command = import_module(COMMANDS[name][0]).command
    return command.make_context(name, list(rest))


@pytest.mark.parametrize("kind", ["new head", "misfit", "another", "more"])
def test_the_first_command_of_a_failure_passes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, options = KINDS[kind]
    pair = make(tmp_path)
    paths = [path.name for path in pair]
    report = checked(pair, **options)
    assert report.exit_code == 1
    first = digest(report.to_json()).ways[0]
    assert first.arguments[:5] == ("weightbridge", "transfer", *paths, "OUT.keras")
    assert exit_code("check", *paths, *first.arguments[5:], "--quiet") == 0


def test_no_adapting_refuses_another_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pair = architectures(tmp_path)
    paths = [path.name for path in pair]
    start, refuse = digest(checked(pair, adapt="weights", fresh=["b_out"]).to_json()).ways[:2]
    assert exit_code("check", *paths, *start.arguments[5:], "--quiet") == 0
    assert exit_code(*refuse.arguments[1:], "--quiet") == 1


def test_a_saved_report_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [path.name for path in fails_with_more(tmp_path)]
    wanted = [part for form in RENDERERS for part in ("--report", f"{form}=first.{form.replace(':', '_')}")]
    again = [part.replace("first", "again") for part in wanted]
    given = ("--fail-on", "warning", "--min-coverage", "0.5")
    code = exit_code("check", *paths, *given, *wanted)
    assert exit_code("report", "first.json", *again) == code == 1
    for path in tmp_path.glob("first.*"):
        assert path.read_bytes() == (tmp_path / path.name.replace("first", "again")).read_bytes(), path.name


def test_details_follow_the_short_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = kerases(tmp_path, ("first", "second"), ("first",))
    assert exit_code("check", "--details", *paths, "--report", "text=all.txt") == 0
    assert exit_code("check", *paths, "--details=wb203", "--report", "text=one.txt") == 0
    assert exit_code("check", *paths, "--details=WB999") == 2
    everything, one = ((tmp_path / name).read_text() for name in ("all.txt", "one.txt"))
    assert "\nSteps (" in everything
    assert "\nSteps (" not in one
    assert "\nUnused source tensors (" in one


def kerases(folder: Path, *sides: tuple[str, ...]) -> list[str]:
    """Two .keras files with dense layers of these names, which need no framework."""
    for side, names in zip(("a.keras", "b.keras"), sides, strict=True):
        write_keras(folder / side, (4, 3, 2)[: len(names) + 1], names)
    return ["a.keras", "b.keras"]


def test_a_transfer_says_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = kerases(tmp_path, ("first", "second"), ("one", "two"))
    report = wb.transfer(*paths, "out.keras", verify=False).to_json()
    size = (tmp_path / "out.keras").stat().st_size
    assert (report["wrote"]["path"], report["wrote"]["bytes"]) == ("out.keras", size)
    assert report["asked"]["output"] == "out.keras"
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", one["digest"]) for one in report["steps"])
    assert re.search(r"^  wrote   out.keras, [\d.]+ kB$", render(report), re.MULTILINE)


def test_a_transfer_that_failed_wrote_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = kerases(tmp_path, ("first",), ("first", "second"))
    report = wb.transfer(*paths, "out.keras", verify=False, on_fail="return").to_json()
    assert report["wrote"] == {}
    assert "\n  wrote   nothing\n" in render(report)


def test_options_that_were_given_stand_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pair = new_head(tmp_path)
    made = digest(checked(pair, fresh=["logits/*"]).to_json())
    assert made.asked == ("--policy", "policy.toml", "--fresh", "logits/*")
    assert made.ways
    assert all("logits/*" in way.arguments for way in made.ways if way.arguments[1] != "inspect")


def test_arguments_stand_in_every_command_as_a_shell_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pair = new_head(tmp_path)
    report = checked(pair).to_json()
    arguments = {"n": 2, "name": "a b", "text": "2"}
    told = {**report["asked"]["options"], "source_arguments": arguments, "map_words": True}
    for way in digest({**report, "asked": {"options": told}}).ways:
        given = dict(zip(way.arguments, way.arguments[1:], strict=False))
        assert given["--source-arg"] == 'text="2"'
        assert parsing.arguments(["n=2", "name=a b", 'text="2"'], "--source-arg") == arguments
        assert way.arguments[1] == "inspect" or "--map-words" in way.arguments


def thousands() -> Report:
    codes = list(CODES)[:12]
    findings = tuple(
        finding(codes[i % 12], f"layer{i}: {'said ' * (i % 40)}", target=f"t{i}", source=f"s{i}")
        for i in range(10_000)
    )
    steps = tuple(step(f"t{i * 7919 % 10_007}_x/kernel", f"s{i}_x/kernel") for i in range(5000))
    unused = tuple(Unused(f"u{i}/k{i % 7}", "unexplained") for i in range(2000))
    sides = [ModelSummary(name, "onnx", "made", "ab", None, 5000, 5000, 40_000) for name in ("a", "b")]
    return Report("check", "warn", *sides, plan=Plan(steps, unused), findings=findings)


def test_thousands_of_findings_stay_short_and_fast() -> None:
    data = thousands().to_json()
    best = min(_timed(data) for _ in range(3))
    lines = render(data).splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    assert best < 0.3
    found = re.findall(r"^  (WB\d+) ", "\n".join(lines), re.MULTILINE)
    assert set(found) == {one["code"] for one in data["findings"]}


def _timed(data: Json) -> float:
    start = time.process_time()
    render(data)
    return time.process_time() - start


@pytest.mark.parametrize("format", ["markdown", "comment", "github", "junit"])
def test_other_renderers_stay_short_too(format: str) -> None:
    text = renderer(format)(thousands().to_json())
    assert len(text.encode()) < 60_000


@pytest.mark.parametrize("report", [hostile(), sample(), Report("check", "error"), Report("inspect", "pass")])
def test_every_report_has_a_digest(report: Report) -> None:
    made = digest(report.to_json())
    assert made.why.endswith(".")
    assert isinstance(made, Digest)


def comparison(name: str, status: str, ratio: float) -> dict[str, Any]:
    more = {"max_abs": 0.1, "probe": "normal", "name": name}
    return {"source": name, "target": name, "status": status, "ratio_cumulative": ratio, "ratio": ratio,
            "limit": 8.0, **more}  # fmt: skip


def verified(*statuses: str) -> Report:
    layers = tuple(comparison(f"l{i}", status, 1e6 if status == "differs" else 1.0) for i, status in
                   enumerate(statuses))  # fmt: skip
    output = comparison("out", statuses[-1], 1e5 if statuses[-1] == "differs" else 1.0)
    evidence = {"tensors": {"identical": 3, "matched": 4, "total": 4}}
    found = (finding("WB401", "differs", target="out"),) if "differs" in statuses else ()
    sides = sample()
    return Report(
        "verify", "fail" if found else "pass", sides.source, sides.target, findings=found,
        verification=Verification("actual", (output,), layers, evidence),
    )  # fmt: skip


def test_verify_names_the_first_layer_that_differs_and_no_transfer() -> None:
    text = render(verified("equal", "equal", "differs", "differs").to_json())
    assert "The first layer that differs is l2, 3 of 4 by depth; all before it are equal." in text
    assert "  the first  l2 " in text
    assert "3 of 4 tensors identical, 1 differs" in text
    assert "exact" not in text
    assert "--evidence full" in text


def test_verify_that_passes_has_no_curve() -> None:
    made = digest(verified("equal", "equal").to_json())
    assert (made.depth, made.ways) == (None, ())
    assert made.why == "1 of 1 comparison of outputs is equal, and so are 2 layers."


def test_a_comparison_that_proves_nothing_is_no_difference() -> None:
    """The source's output is zero on the probe of zeros: the first sentence counts it and says so."""
    made = verified("equal")
    outputs = (comparison("out", "equal", 1.0), comparison("out", "zero-energy", 0.0))
    passed = replace(made, verification=replace(made.verification, outputs=outputs, layers=()))
    assert digest(passed.to_json()).why == "1 of 2 comparisons of outputs are equal (1 proves nothing)."


def test_a_plain_check_imports_no_renderer_of_others(tmp_path: Path) -> None:
    paths = kerases(tmp_path, ("first", "second"), ("one", "two"))
    run_it = "import sys; from weightbridge.cli import main"
    script = f"{run_it}\ntry:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", script, "check", *paths, "--no-progress"]
    environment = {**os.environ, "PYTHONPATH": str(Path(wb.__file__).parent.parent)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0
    assert {"rich", "jinja2", "networkx"} & set(done.stderr.split()) == set()


def test_the_fewest_globs_meet_all_and_nothing_else() -> None:
    names = [f"conv{s}_block{b}_{r}/k" for s in (2, 3, 4) for b in (1, 2) for r in ("a", "b")]
    taken = [name for name in names if name.startswith("conv2_block1")]
    left = [name for name in names if name not in taken]
    globs = fewest(left, taken)
    assert globs == ("conv2_block2*", "conv3*", "conv4*")
    assert all(any(glob(text).meets(name) for text in globs) for name in left)
    assert fewest(left, ()) == ("*",)
    assert fewest(["conv1/k"], ["conv10/k"]) == ("conv1/*",)
    assert fewest([f"x{i}a" for i in range(40)], [f"x{i}b" for i in range(40)]) == ()
    assert fewest(["a[0]/k"], ["b"]) == ("a[0]/k",)


def test_a_report_without_what_later_versions_added_is_rendered() -> None:
    data = {key: value for key, value in sample().to_json().items() if key not in ("graphs", "wrote")}
    assert render(data)
    assert json_text(replace(sample(), graphs={}).to_json())


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (True, "run on 2 inputs: no NaN or Inf, no signal vanishes or explodes (3 layers looked at)"),
        (False, "run on 2 inputs: NaN, Inf, or a signal that vanishes or explodes in 1 output and 2 layers"),
    ],
    ids=["healthy", "ill"],
)
def test_a_model_that_equals_no_other_is_said_to_have_been_run(passed: bool, said: str) -> None:
    outputs = [{"name": "out", "probe": probe, "passed": passed, "finite": True} for probe in ("a", "b")]
    layers = [{"target": str(n), "passed": passed or n == 0, "finite": True} for n in range(3)]
    evidence = {
        "probes": ["a", "b"],
        "strength": "2 of 2 layers that get weights compute what the source's do",
    }
    verification = {"mode": "health", "outputs": outputs, "layers": layers, "evidence": evidence}
    text = render({**sample().to_json(), "verification": verification})
    assert said in " ".join(text.split())
    assert str(evidence["strength"]) in " ".join(text.split())
    assert "nothing" not in text.split("proven")[1].split("\n\n")[0]


@pytest.mark.parametrize("reason", ["--no-verify: no model was run", "not run: --no-verify"])
def test_that_no_model_was_run_is_said_once(reason: str) -> None:
    verification = {"mode": "none", "outputs": [], "layers": [], "evidence": {"reason": reason}}
    text = render({**sample().to_json(), "verification": verification})
    assert "no model was run: --no-verify\n" in text
