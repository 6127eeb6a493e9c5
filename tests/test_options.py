"""Options: each one is carried out or refused, whatever it stands beside; none is dropped in silence."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cli_calls import caller
from keras_files import layer, source
from network_files import dense, wired, write
from report_samples import write_keras

import weightbridge as wb
from weightbridge.cli.group import COMMANDS, cli
from weightbridge.errors import UsageError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command beside two models of one shape and a plan between them."""
    monkeypatch.chdir(tmp_path)
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
    write_keras(tmp_path / "b.keras", (4, 3, 2), ("first", "second"), seed=2)
    wb.plan("a.keras", "b.keras").save(tmp_path / "plan.json")
    (tmp_path / "report.json").write_text(renderings(wb.check("a.keras", "b.keras")))
    (tmp_path / "rules").mkdir()

    return caller(capsys)


def renderings(report: wb.Report) -> str:
    from weightbridge.report.render.json import render

    return render(report.to_json())


CHECK, PLAN, TRANSFER = ("check", "a.keras", "b.keras"), ("plan", "a.keras", "b.keras", "new.json"), (
    "transfer", "a.keras", "b.keras", "out.keras")  # fmt: skip
STORED, UNRUN = ("--plan", "plan.json"), ("--no-verify",)
REFUSED: Sequence[tuple[Sequence[str], Sequence[str], str]] = [
    *((command, (*STORED, *option), option[0]) for command in (CHECK, PLAN, TRANSFER) for option in (
        ("--adapt", "none"), ("--adapt", "same"), ("--adapt", "weights"), ("--map-words",),
        ("--disambiguate",), ("--map", "first=first"))),
    (TRANSFER, (*UNRUN, "--probe", "d.npz"), "--probe"),
    (TRANSFER, (*UNRUN, "--evidence", "standard"), "--evidence"),
    (TRANSFER, (*UNRUN, "--evidence", "full"), "--evidence"),
    (CHECK, ("--details", "--quiet"), "--details"),
    (CHECK, ("--details=WB203", "--report", "json"), "--details"),
    (("inspect", "a.keras"), ("--format", "json", "--details"), "--details"),
    (("report", "report.json"), ("--rules", "rules"), "--rules"),
    *((("convert", "a.keras", "c.keras"), option, option[0]) for option in (
        ("--opset", "17"), ("--engine", "own"), ("--input-layout", "nchw"),
        ("--input-shape", "1,3"))),
    *((command, ("--depth", "stack"), "depth") for command in (CHECK, PLAN, TRANSFER)),
    *((command, ("--calibrate", "d.npz"), "--calibrate") for command in (CHECK, PLAN)),
    *((command, (f"--{side}-arg", "n=1"), "arguments") for command in (CHECK, PLAN, TRANSFER)
      for side in ("source", "target")),
    *((command, ("--source-arg", "n=1"), "arguments") for command in (
        ("inspect", "a.keras"), ("features", "a.keras", "first", "f.keras"))),
    *((("stitch", "a.keras", "first", "b.keras", "second", "s.keras"), (f"--{side}-arg", "n=1"), "arguments")
      for side in ("source", "target")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "options", "named"), REFUSED, ids=[" ".join((c[0], *o)) for c, o, _ in REFUSED]
)
def test_what_can_do_nothing_is_refused(
    run: Run, tmp_path: Path, command: Sequence[str], options: Sequence[str], named: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    code, out, err = run(*command, *options)
    assert (code, out) == (2, "")
    assert named in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


CARRIED_OUT: Sequence[Sequence[str]] = [
    (*CHECK, *STORED, "--fresh", "second"),
    (*CHECK, *STORED, "--dequantize"),
    (*CHECK, *STORED, "--min-coverage", "0.5"),
    (*CHECK, "--details", "--report", "text"),
    (*CHECK, "--details", "--report", "text=r.txt", "--quiet"),
    (*TRANSFER, *UNRUN, "--overwrite"),
    (*TRANSFER, *UNRUN, *STORED),
    ("inspect", "a.keras", "--details"),
    ("report", "report.json", "--details"),
]


@pytest.mark.parametrize("arguments", CARRIED_OUT, ids=" ".join)
def test_what_can_be_carried_out_is_not_refused(run: Run, arguments: Sequence[str]) -> None:
    assert run(*arguments)[0] == 0


def test_every_option_of_every_command_is_one_of_these() -> None:
    """A new option belongs in one of the tables above, or among those that hold in every mode."""
    always = {
        "--report", "--rules", "--policy", "--fail-on", "--quiet", "--no-progress", "--output", "--format",
        "--unused", "--save-rule", "--after", "--config", "--locked", "--pair", "--baseline", "--version",
        "--help", "--architecture", "--data",
    }  # fmt: skip
    told = {word for _, options, _ in REFUSED for word in options if word.startswith("--")}
    told |= {word for words in CARRIED_OUT for word in words if word.startswith("--")}
    told = {word.partition("=")[0] for word in told} | always
    commands = {name: cli.get_command(None, name) for name in COMMANDS}  # type: ignore[arg-type]
    names = {
        option
        for command in commands.values()
        for parameter in getattr(command, "params", ())
        for option in parameter.opts
        if option.startswith("--")
    }
    assert names - told == set()


def test_a_library_call_refuses_them_too(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--adapt"):
        wb.check("a.keras", "b.keras", plan="plan.json", adapt="same")
    with pytest.raises(UsageError, match="--probe"):
        wb.transfer("a.keras", "b.keras", "o.keras", verify=False, probe="d.npz")
    with pytest.raises(UsageError, match="overwrite"):
        wb.transfer("a.keras", object(), overwrite=True)


def test_an_answered_question_goes_on_with_what_was_asked(run: Run) -> None:
    """The second command of `Next` has the options that a plan does not hold."""
    from weightbridge.report.digest.next import OF_A_PLAN, options_given

    report = wb.check("a.keras", "b.keras", fresh=["second"], fail_on="warning", min_coverage=0.1).to_json()
    assert options_given(report, OF_A_PLAN) == ("--fail-on", "warning", "--min-coverage", "0.1")


@pytest.mark.parametrize("broken", ["missing", "cut off"])
@pytest.mark.parametrize("side", [0, 1])
def test_an_error_is_said_once_and_names_the_file(run: Run, tmp_path: Path, broken: str, side: int) -> None:
    if broken == "cut off":
        whole = write(tmp_path, "whole", wired(source("x", [4]), dense("a", 4), layer("ReLU", "r")))
        (tmp_path / "bad.keras").write_bytes(whole.read_bytes()[:300])
    models = ["a.keras", "b.keras"]
    models[side] = "bad.keras"
    code, out, err = run("check", *models)
    assert (code, err) == (4, "")
    assert out.count("bad.keras: ") == 1
    assert f"The {('source', 'target')[side]} cannot be read." in out
    code, out, err = run("check", *models, "--quiet")
    assert (code, out) == (4, "")
    assert err.count("bad.keras: ") == 1
    code, out, err = run("check", *models, "--report", "json")
    assert out.count("bad.keras: ") == err.count("bad.keras: ") == 1
