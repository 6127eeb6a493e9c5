"""What the command line says to those who ask, mistype or press Tab; each example of a help is run."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_calls import exit_code
from click.shell_completion import BashComplete

from weightbridge.cli import main, progress
from weightbridge.cli.group import COMMANDS, cli
from weightbridge.cli.interface.command import ELSEWHERE, REST, Command
from weightbridge.report.render.renderers import RENDERERS

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LAST = ("transfer", "convert", "verify", "features", "stitch", "recalibrate", "advise")


def commands() -> Iterator[tuple[str, click.Command]]:
    """(`rules show`, command) for all that can be called."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        inner = command.commands.items() if isinstance(command, click.Group) else ()
        yield from ((f"{name} {below}", one) for below, one in inner)
        if not inner:
            yield name, command


ALL = dict(commands())


def start(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT)),
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples of the help can be pasted: the models of examples/models, and the rules."""
    place = tmp_path_factory.mktemp("examples")
    for path in (*(ROOT / "examples" / "models").iterdir(), ROOT / "rules"):
        (place / path.name).symlink_to(path)
    return place


@pytest.mark.parametrize("name", ALL)
def test_a_help_has_its_options_in_groups_and_one_example(name: str) -> None:
    command = ALL[name]
    assert isinstance(command, Command)
    text = command.get_help(click.Context(command, info_name=name))
    assert text.rstrip().endswith(f"Example:\n  {command.example}")
    assert command.example.startswith(f"weightbridge {name} ") or name == "rules list"
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help or not getattr(one, "group", "")] == []
    headings = {getattr(one, "group", REST) for one in options}
    assert [heading for heading in headings if f"\n{heading}:\n" not in text] == []
    assert max(map(len, text.splitlines())) <= max(80, len(command.example) + 2)


@pytest.mark.parametrize("name", [name for name in ALL if name not in (*LAST, "demo")])
def test_an_example_runs_as_it_is_printed(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    if name == "report":
        called("check")
    if name.startswith("baseline"):
        called("baseline add")
        (folder / "before.json").write_bytes((folder / "weightbridge-baseline.json").read_bytes())
    capsys.readouterr()
    assert (called(name), capsys.readouterr().err) == (0, "")


def called(name: str) -> int:
    """The exit code of a command's example, called here."""
    program, *arguments = shlex.split(ALL[name].example)  # type: ignore[attr-defined]
    assert program == "weightbridge"
    return exit_code(*arguments)


@pytest.mark.framework
@pytest.mark.slow
def test_the_examples_that_run_models_do_so_one_after_another(folder: Path) -> None:
    for name in LAST:
        done = start(ALL[name].example, folder)  # type: ignore[attr-defined]
        assert done.returncode == 0, f"{name}\n{done.stdout}\n{done.stderr}"


MISTYPED = {
    "a command": ("chekc a b", "No such command 'chekc'. Did you mean 'check'?"),
    "a command that is far off": ("frobnicate", "No such command 'frobnicate'.\n"),
    "a model without a command": ("model.h5", "`weightbridge inspect model.h5` says what it is"),
    "a command of a group": ("rules shwo WB204", "Did you mean 'show'?"),
    "an option": ("check a b --reprot json", "No such option '--reprot'. Did you mean '--report'?"),
    "an option with the library's name": ("check a b --min_coverage 1", "Did you mean '--min-coverage'?"),
    "an option of other programs": ("transfer a b c --force", "Did you mean '--overwrite'?"),
    "a format as an option": ("check a b --sarif", "Did you mean '--report sarif'?"),
    "a word of other programs that is no option here": ("rules list -v", "No such option '-v'.\n"),
    "a choice": ("check a b --adapt wieghts", "Did you mean 'weights'?"),
    "a choice that is far off": ("check a b --adapt everything", "'none', 'same', 'weights', 'fit'.\n"),
    "another choice": ("verify a b --evidence standart", "Did you mean 'standard'?"),
    "a report": ("check a b --report mardkown=x.md", "Did you mean 'markdown'?"),
    "a code": ("rules show WB2O4", "Did you mean 'WB204'?"),
    "a rule": ("rules show onnx-conv-weigth--keras-conv-kernel", "'onnx-conv-weight--keras-conv-kernel'"),
    "a code of details": ("check a b --details=WB2033", "Did you mean 'WB203'?"),
}


@pytest.mark.parametrize(("command", "said"), MISTYPED.values(), ids=MISTYPED)
def test_what_was_meant_is_said(command: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert said in printed.err
    assert "Traceback" not in printed.err


def test_what_other_programs_say_leads_to_options_that_exist() -> None:
    known = {name for command in ALL.values() for one in command.params for name in one.opts}
    assert {ours.split()[0] for ours in ELSEWHERE.values()} <= known
    assert not set(ELSEWHERE) & known


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    done = start(f"{sys.executable} -m weightbridge --version", tmp_path)
    assert (done.returncode, done.stdout.startswith("weightbridge, version ")) == (0, True)
    assert start(f"{sys.executable} -m weightbridge report none.json", tmp_path).returncode == 2


COMPLETED = {
    "commands": (("weightbridge", "ch"), "check"),
    "commands of a group": (("weightbridge", "rules", "s"), "show"),
    "options": (("weightbridge", "transfer", "--overw"), "--overwrite"),
    "choices": (("weightbridge", "check", "a", "b", "--adapt", "we"), "weights"),
    "formats": (("weightbridge", "check", "a", "b", "--report", "sa"), "sarif"),
    "codes": (("weightbridge", "rules", "show", "wb10"), " ".join(f"WB10{i}" for i in range(1, 10))),
}


@pytest.mark.parametrize(("words", "expected"), COMPLETED.values(), ids=COMPLETED)
def test_a_word_is_completed(words: tuple[str, ...], expected: str) -> None:
    shell = BashComplete(cli, {}, "weightbridge", "_WEIGHTBRIDGE_COMPLETE")
    found = shell.get_completions(list(words[1:-1]), words[-1])
    assert " ".join(item.value for item in found) == expected


def test_bash_completes(tmp_path: Path) -> None:
    script = (
        'eval "$(_WEIGHTBRIDGE_COMPLETE=bash_source weightbridge)"\n'
        "COMP_WORDS=(weightbridge check a b --adapt we); COMP_CWORD=5\n"
        '_weightbridge_completion weightbridge; echo "${COMPREPLY[@]}"'
    )
    done = start(script, tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("weights", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script_and_models_are_completed_as_files(shell: str, tmp_path: Path) -> None:
    script = start("weightbridge", tmp_path, _WEIGHTBRIDGE_COMPLETE=f"{shell}_source").stdout
    assert "_weightbridge_completion" in script
    words = {"COMP_WORDS": "weightbridge check mod", "COMP_CWORD": "mod" if shell == "fish" else "2"}
    done = start("weightbridge", tmp_path, _WEIGHTBRIDGE_COMPLETE=f"{shell}_complete", **words)
    assert done.stdout.split() in (["file,mod"], ["file", "mod", "_"])


def test_a_shell_completes_commands_without_importing_them(tmp_path: Path) -> None:
    words = {"COMP_WORDS": "weightbridge ", "COMP_CWORD": "1", "_WEIGHTBRIDGE_COMPLETE": "bash_complete"}
    done = start(f"{sys.executable} -X importtime -m weightbridge", tmp_path, **words)
    assert done.stdout.split() == [f"plain,{name}" for name in COMMANDS]
    assert "weightbridge.commands" not in done.stderr
    assert "numpy" not in done.stderr


def test_a_help_starts_with_few_modules(tmp_path: Path) -> None:
    done = start(f"{sys.executable} -X importtime -m weightbridge --help", tmp_path)
    ours = [line for line in done.stderr.splitlines() if "| " in line and "weightbridge" in line]
    assert 0 < len(ours) <= 25
    assert "difflib" not in done.stderr


def test_a_terminal_is_told_what_was_written(folder: Path, tmp_path: Path) -> None:
    """And a log is not: a run that writes reports alone stays silent there."""
    command = f"weightbridge check {folder}/trained.h5 {folder}/mine.keras --quiet --report json=x.json"
    assert start(command, tmp_path).stderr == ""
    shown = start(f"script -qec '{command}' /dev/null", tmp_path).stdout
    size = (tmp_path / "x.json").stat().st_size
    assert shown.strip() == f"weightbridge: wrote x.json, {size / 1000:.1f} kB"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("plan trained.h5 mine.keras {}/p.json", "p.json, "),
        ("transfer trained.h5 mine.keras {}/o.keras --no-verify", "o.keras, "),
        (
            "transfer trained.h5 mine.keras {}/o.keras --no-verify --map conv2d_1/kernel=body/kernel",
            "nothing",
        ),
        ("transfer trained.h5 none.keras {}/o.keras", "nothing"),
        ("check trained.h5 mine.keras", ""),
    ],
    ids=["plan", "transfer", "transfer that fails", "transfer of what cannot be read", "check"],
)
def test_a_report_says_what_was_written_or_that_nothing_was(
    command: str,
    said: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit):
        main(command.format(tmp_path).split(" "))
    text = capsys.readouterr().out
    wrote = [line.split("wrote", 1)[1] for line in text.splitlines() if line.startswith("  wrote ")]
    assert len(wrote) == bool(said)
    assert said in "".join(wrote)


def test_every_format_is_in_the_help() -> None:
    text = ALL["check"].get_help(click.Context(ALL["check"]))
    assert [format for format in RENDERERS if format not in text] == []


def test_the_bar_appears_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that takes long was named before the two seconds were over."""
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    drawn: list[str] = []
    monkeypatch.setattr(progress._Shown, "_draw", lambda shown: drawn.append(shown.now[0]))
    shown = progress._Shown()
    shown("matching layers", 0, 0)
    shown.timer.join()
    shown.stop()
    assert drawn[-1] == "matching layers"
