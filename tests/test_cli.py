"""The command line end to end: exit codes, several reports at once, messages without a traceback."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from cli_calls import Call, caller
from report_samples import HOSTILE, sample, write_keras

from weightbridge.cli.group import COMMANDS
from weightbridge.report.render.json import render
from weightbridge.report.render.renderers import RENDERERS

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs a command in an empty folder with two models: a.keras, and b.keras whose second layer is wider."""
    monkeypatch.chdir(tmp_path)
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
    write_keras(tmp_path / "same.keras", (4, 3, 2), ("first", "second"), seed=2)
    write_keras(tmp_path / "longer.keras", (4, 3, 2, 2), ("first", "second", "third"), seed=3)

    return caller(capsys, bugs=True)


def saved(tmp_path: Path) -> Path:
    path = tmp_path / "saved.json"
    path.write_text(render(sample("check").to_json()))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call: Call, command: str) -> None:
    code, out, _ = call(command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: weightbridge {command}")


def test_the_help_lists_every_command(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    assert all(f"\n  {command} " in out for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage:"),
        (("bogus",), "No such command 'bogus'"),
        (("check", "a.keras"), "Missing argument 'TARGET'"),
        (("check", "a.keras", "same.keras", "--report", "pdf"), "Available: text, json, json:lean, markdown"),
        (
            ("check", "a.keras", "same.keras", "--report", "docx=x.docx"),
            "Available: text, json, json:lean, markdown",
        ),
        (("check", "a.keras", "same.keras", "--report", "json="), "the path is missing"),
        (
            ("check", "a.keras", "same.keras", "--report", "json=x", "--report", "text=./x"),
            "two reports would be written",
        ),
        (("check", "a.keras", "same.keras", "--report", "json=a.keras"), "written over a model"),
        (("check", "a.keras", "same.keras", "--map", "first"), "expected SOURCE=TARGET"),
        (("check", "a.keras", "same.keras", "--min-coverage", "2"), "--min-coverage"),
        (("check", "a.keras", "same.keras", "--adapt", "fit"), "--calibrate D.npz"),
        (("check", "a.keras", "same.keras", "--calibrate", "d.npz"), "this writes no model"),
        (("check", "a.keras", "same.keras", "--source-arg", "x"), "expected NAME=VALUE"),
        (("check", "a.keras", "same.keras", "--policy", "none.toml"), "none.toml"),
        (("check", "a.keras", "same.keras", "--rules", "nowhere"), "nowhere"),
        (("check", "a.keras", "same.keras", "--plan", "none.json"), "none.json"),
        (("report", "none.json"), "none.json"),
        (("report", "a.keras"), "a.keras"),
        (("inspect", "a.keras", "--output", "graph.png"), "graph.png"),
        (("inspect", "a.keras", "--output", "a.keras", "--format", "svg"), "written over a model"),
        (("rules", "show", "WB999"), "WB999"),
        (("rules", "test", "nowhere"), "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_usage_errors_end_with_2_and_say_what_is_wrong(
    call: Call, arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert said in err


def test_a_check_that_passes(call: Call) -> None:
    code, out, err = call("check", "a.keras", "same.keras")
    assert (code, err) == (0, "")
    assert out.startswith("PASS check  ")
    assert out.endswith("\nexit 0\n")


def test_several_reports_from_one_run(call: Call, tmp_path: Path) -> None:
    wanted = [part for format in RENDERERS for part in ("--report", f"{format}={format}.out")]
    code, out, _ = call("check", "a.keras", "same.keras", *wanted, "--report", "json")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "json.out").read_text())
    assert all((tmp_path / f"{format}.out").stat().st_size for format in RENDERERS)
    assert not list(tmp_path.glob(".*")), "nothing temporary is left behind"


def test_quiet_prints_no_text_but_what_is_asked_for(call: Call) -> None:
    assert call("check", "a.keras", "same.keras", "--quiet") == (0, "", "")
    assert call("check", "a.keras", "same.keras", "--quiet", "--report", "text")[1] == ""
    assert call("check", "a.keras", "same.keras", "--quiet", "--report", "json")[1].startswith("{")


def test_the_same_check_twice_gives_the_same_bytes(call: Call) -> None:
    assert call("check", "a.keras", "longer.keras", "--report", "json") == call(
        "check", "a.keras", "longer.keras", "--report", "json"
    )


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ((), 1),
        (("--fail-on", "never"), 0),
        (("--fresh", "third*"), 0),
        (("--fresh", "third*", "--min-coverage", "0.99"), 1),
        (("--fresh", "third*", "--policy", "strict.toml"), 1),
        (("--fresh", "third*", "--policy", "strict.toml", "--min-coverage", "0"), 0),
        (("--policy", "lenient.toml"), 0),
        (("--policy", "lenient.toml", "--fail-on", "warning"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_fails_is_up_to_the_options_and_the_policy(
    call: Call, tmp_path: Path, extra: tuple[str, ...], expected: int
) -> None:
    (tmp_path / "strict.toml").write_text("min_coverage = 0.99\n")
    (tmp_path / "lenient.toml").write_text('[severity]\nWB202 = "warning"\nWB205 = "warning"\n')
    code, out, _ = call("check", "a.keras", "longer.keras", *extra, "--report", "json")
    assert code == expected
    assert (json.loads(out)["verdict"] in ("pass", "warn")) is (expected == 0)


@pytest.mark.parametrize(
    ("arguments", "side", "code"),
    [
        (("inspect", "none.keras"), "source", "WB905"),
        (("check", "none.keras", "same.keras"), "source", "WB905"),
        (("check", "a.keras", "none.keras"), "target", "WB905"),
        (("check", "a.keras", "cut.keras"), "target", "WB904"),
        (("check", "loop.keras", "a.keras"), "source", "WB905"),
        (("transfer", "a.keras", "loop.keras", "out.keras"), "target", "WB905"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_model_that_cannot_be_read_ends_with_4_and_a_report(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], side: str, code: str
) -> None:
    (tmp_path / "cut.keras").write_bytes((tmp_path / "a.keras").read_bytes()[:300])
    (tmp_path / "loop.keras").symlink_to("loop.keras")
    ended, out, err = call(*arguments, "--report", "json", "--report", "junit=r.xml")
    (found,) = json.loads(out)["findings"]
    assert (ended, json.loads(out)["verdict"], found["code"]) == (4, "error", code)
    assert found[side].endswith(".keras")
    assert err.startswith("weightbridge: ")
    assert len(err.splitlines()) == 1
    assert (tmp_path / "r.xml").exists()


@pytest.mark.parametrize("path", ["nowhere/report.json", ".", "a.keras/report.json"])
def test_a_report_that_cannot_be_written_ends_with_5(call: Call, tmp_path: Path, path: str) -> None:
    before = sorted(tmp_path.iterdir())
    code, out, err = call("check", "a.keras", "same.keras", "--report", f"json={path}")
    assert (code, out) == (5, "")
    assert "cannot be written" in err
    assert sorted(tmp_path.iterdir()) == before


def test_transfer_writes_what_it_says(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("transfer", "a.keras", "same.keras", "out.keras", "--no-verify", "--report", "json")
    report = json.loads(out)
    assert (code, report["command"], report["coverage"]["fraction"]) == (0, "transfer", 1.0)
    assert (tmp_path / "out.keras").exists()
    code, _, err = call("transfer", "a.keras", "same.keras", "out.keras", "--no-verify", "--quiet")
    assert code in (2, 5)
    assert "out.keras" in err
    assert (
        call("transfer", "a.keras", "same.keras", "out.keras", "--no-verify", "--overwrite", "--quiet")[0]
        == 0
    )


def test_a_plan_is_written_and_carried_out(call: Call, tmp_path: Path) -> None:
    assert call("plan", "a.keras", "same.keras", "plan.json", "--quiet")[0] == 0
    assert json.loads((tmp_path / "plan.json").read_text())
    assert call("check", "a.keras", "same.keras", "--plan", "plan.json", "--quiet")[0] == 0
    code, _, err = call("check", "longer.keras", "same.keras", "--plan", "plan.json")
    assert code == 2
    assert "longer.keras" in err


@pytest.mark.parametrize(
    ("form", "start"), [("text", "Layers (3)"), ("json", "{"), ("dot", "digraph"), ("svg", "<svg")]
)
def test_a_graph_in_every_form(call: Call, tmp_path: Path, form: str, start: str) -> None:
    code, out, err = call("inspect", "a.keras", "--format", form)
    assert (code, err) == (0, "")
    assert out.startswith(start)
    path = tmp_path / f"graph.{'txt' if form == 'text' else form}"
    assert call("inspect", "a.keras", "--output", path.name) == (0, "", "")
    assert path.read_text() == out
    assert call("inspect", "a.keras", "--output", path.name, "--report", "text")[1].startswith("PASS inspect")


def test_inspect_shows_layers(call: Call) -> None:
    code, out, _ = call("inspect", "a.keras")
    assert code == 0
    assert "kernel 4x3, bias 3" in out


def test_a_saved_report_is_rendered_and_judged_again(call: Call, tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert call("report", path.name, "--report", "json")[:2] == (0, path.read_text())
    assert call("report", path.name)[1].startswith("WARN check")
    assert call("report", path.name, "--fail-on", "warning", "--quiet")[0] == 1
    (tmp_path / "policy.toml").write_text('[severity]\nWB203 = "error"\n')
    assert call("report", path.name, "--policy", "policy.toml", "--quiet")[0] == 1
    assert call("report", path.name, "--report", f"text={path.name}")[0] == 2


def test_rules_are_listed_shown_and_tested(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("rules", "list")
    assert code == 0
    assert "WB201" in out
    id = "onnx-conv-weight--keras-conv-kernel"
    assert id in out
    shipped = call("rules", "show", id)
    assert shipped[0] == 0
    assert shipped[1].startswith(id)
    assert call("rules", "show", "wb201")[1].startswith("WB201 shape-mismatch (error)")
    rule = Path(shipped[1].splitlines()[1]).read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my-kernel--your-kernel.toml").write_text(rule)
    assert call("rules", "test", "mine")[0] == 0
    wrong = (
        rule.replace("fits = true", "fits = WAS_TRUE")
        .replace("fits = false", "fits = true")
        .replace("WAS_TRUE", "false")
    )
    (tmp_path / "mine" / "my-kernel--your-kernel.toml").write_text(wrong)
    code, _, err = call("rules", "test", "mine")
    assert code == 1
    assert "my-kernel--your-kernel" in err


def test_hostile_names_reach_neither_terminal_nor_message(call: Call, tmp_path: Path) -> None:
    name = HOSTILE.replace("\x00", "").replace("\udc80", "")
    write_keras(tmp_path / "hostile.keras", (4, 3, 2), (name, "second"))
    for arguments in (
        ("inspect", "hostile.keras"),
        ("check", "hostile.keras", "same.keras"),
        ("check", "a.keras", "hostile.keras"),
    ):
        code, out, err = call(*arguments)
        assert code in (0, 1, 4)
        assert all(character.isprintable() or character == "\n" for character in out + err)


def test_a_bug_ends_with_70_and_says_what_to_send(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug\x1b[31m")

    monkeypatch.setitem(vars(import_module("weightbridge.cli.inspect")), "inspect", broken)
    code, _, err = call("inspect", "a.keras")
    assert code == 70
    assert "ZeroDivisionError: a bug\\x1b[31m" in err
    assert "Please send" in err


@pytest.mark.parametrize(("kind", "expected"), [(EOFError, 70), (KeyboardInterrupt, 130)])
def test_the_end_of_a_file_is_no_key_that_was_pressed(
    kind: type[BaseException], expected: int, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """click takes the one for the other."""

    def broken(*_: object) -> None:
        raise kind

    monkeypatch.setitem(vars(import_module("weightbridge.cli.inspect")), "inspect", broken)
    code, _, err = call("inspect", "a.keras")
    assert code == expected
    assert ("interrupted" in err) is (expected == 130)


def start(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from weightbridge.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    program = f"{sys.executable} -c 'from weightbridge.cli import main; main()'"
    command = f"{program} report {saved(tmp_path)} --report json"
    script = f"{command} | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout, done.stderr) == ("{0\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_standard_output_on_a_full_disk_is_not_written(tmp_path: Path) -> None:
    program = f"{sys.executable} -c 'from weightbridge.cli import main; main()'"
    command = f"{program} report {saved(tmp_path)} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith("weightbridge: standard output: cannot be written")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param("--help > /dev/full", 5, id="help"),
        pytest.param("check --help > /dev/full", 5, id="help of a command"),
        pytest.param("--version > /dev/full", 5, id="version"),
        pytest.param("check --no-such-option 2> /dev/full", 2, id="complaint of usage"),
        pytest.param("report none.json 2> /dev/full", 2, id="complaint"),
    ],
)
def test_what_cannot_be_printed_is_no_bug(arguments: str, code: int) -> None:
    command = f"{sys.executable} -c 'from weightbridge.cli import main; main()' {arguments}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(tmp_path: Path, closed: str) -> None:
    command = (
        f"{sys.executable} -c 'from weightbridge.cli import main; main()' report {saved(tmp_path)} {closed}"
    )
    assert subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, check=False).returncode == 0


def test_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    done = start("report", str(saved(tmp_path)), env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "WARN check" in done.stdout
    assert "####" in done.stdout


def test_a_report_in_json_needs_no_rich(tmp_path: Path) -> None:
    script = (
        "import sys; from weightbridge.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "report",
        str(saved(tmp_path)),
        "--quiet",
        "--report",
        f"json={tmp_path / 'x.json'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert {"rich", "jinja2", "numpy", "h5py"} & set(done.stderr.split()) == set()


POLICY = 'schema = 1\nfail_on = "error"\nadapt = "none"\n[severity]\nWB202 = "warning"\n'


@pytest.mark.parametrize(
    ("policy", "options", "expected"),
    [
        ("", (), 1),
        (POLICY, (), 0),
        (POLICY, ("--fail-on", "warning"), 1),
        (POLICY + '[report]\njson = "never.json"\n', (), 0),
        ("min_coverage = 1.0\n" + POLICY, (), 1),
        ("min_exact = 0.7\n" + POLICY, (), 0),
        ("min_exact = 0.8\n" + POLICY, (), 1),
        ("min_coverage = 1.0\n" + POLICY, ("--fresh", "third/*"), 0),
    ],
)
def test_a_policy_is_found(
    call: Call, tmp_path: Path, policy: str, options: tuple[str, ...], expected: int
) -> None:
    (tmp_path / "weightbridge.toml").write_text(policy)
    assert call("check", "a.keras", "longer.keras", *options)[0] == expected
    assert not (tmp_path / "never.json").exists()


def test_a_saved_report_is_not_judged_by_the_policy_of_the_folder(call: Call, tmp_path: Path) -> None:
    assert call("check", "a.keras", "longer.keras", "--report", "json=r.json")[0] == 1
    (tmp_path / "weightbridge.toml").write_text(POLICY)
    assert call("report", "r.json")[0] == 1
    assert call("report", "r.json", "--policy", "weightbridge.toml")[0] == 0


def test_an_error_report_is_the_same_again(call: Call, tmp_path: Path) -> None:
    assert call("check", "a.keras", "nope.keras", "--report", "json=r.json")[0] == 4
    assert call("report", "r.json", "--report", "json=again.json")[0] == 4
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "r.json").read_bytes()


def test_a_policy_limits_examples(call: Call, tmp_path: Path) -> None:
    names = tuple(f"layer{i}" for i in range(6))
    write_keras(tmp_path / "deep.keras", (4, 3, 2, 5, 6, 7, 8), names, seed=3)
    (tmp_path / "weightbridge.toml").write_text('adapt = "none"\n[report]\nmax_examples = 1\n')
    _, out, _ = call("check", "a.keras", "deep.keras")
    assert "more: --details=WB202" in out
