"""The parts of the command line: parsing, writing, the other project, progress."""

import os
import sys
import threading
from pathlib import Path

import click
import pytest

from weightbridge.boundary.options import Options, silent
from weightbridge.cli import progress
from weightbridge.cli.installation import refuse_other_project
from weightbridge.cli.options import options_from
from weightbridge.cli.parsing import Request, arguments, pair, requests
from weightbridge.cli.writing import check_writable, write_atomically
from weightbridge.errors import OutputError, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("json", Request("json")),
        ("json=-", Request("json")),
        ("text=a/b.txt", Request("text", Path("a/b.txt"))),
        ("junit=a=b.xml", Request("junit", Path("a=b.xml"))),
    ],
)
def test_requests(text: str, expected: Request) -> None:
    assert requests([text]) == (expected,)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=1", 1),
        ("k=[1, 2]", [1, 2]),
        ("k=true", True),
        ("k=text", "text"),
        ("k=a=b", "a=b"),
        ("k=", ""),
        ('k="1"', "1"),
    ],
)
def test_arguments_are_json_or_text(text: str, value: object) -> None:
    assert arguments([text], "--source-arg") == {"k": value}


@pytest.mark.parametrize("text", ["k", "=1", "1k=1", "a b=1"])
def test_arguments_have_names(text: str) -> None:
    with pytest.raises(click.UsageError, match="NAME=VALUE"):
        arguments([text], "--source-arg")


def test_pairs() -> None:
    assert pair("a/*=b/*") == ("a/*", "b/*")
    for text in ("a", "a=", "=b", "="):
        with pytest.raises(click.UsageError, match="SOURCE=TARGET"):
            pair(text)


def test_options_are_what_was_given() -> None:
    given = {"pairs": ("a=b",), "fresh": ("f*",), "adapt": "none", "fail_on": "never", "min_coverage": None,
             "no_verify": True,
             "source_arg": ("n=2",), "quiet": True}  # fmt: skip
    assert options_from(given) == Options(
        map=(("a", "b"),), fresh=("f*",), adapt="none", fail_on="never", verify=False,
        source_arguments={"n": 2},
        explicit=frozenset(["adapt", "fail_on"]),
    )  # fmt: skip


def test_nothing_given_is_the_default() -> None:
    assert options_from({"fail_on": None, "min_coverage": None}) == Options()


def test_a_file_is_replaced_whole_and_keeps_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    check_writable(link, ())
    write_atomically(link, "new \udc80")
    assert link.is_symlink()
    assert real.read_text() == "new \\udc80"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.txt", "real.txt"]


def test_a_file_has_the_rights_that_other_files_get(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_atomically(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    check_writable(pipe, ())
    write_atomically(pipe, "text")
    reader.join(timeout=10)
    assert got == ["text"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["missing/file", "file/below", "x" * 300, "folder"])
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    for attempt in (lambda path: check_writable(path, ()), lambda path: write_atomically(path, "new")):
        with pytest.raises(OutputError, match="cannot be written"):
            attempt(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"


def test_no_report_over_a_model_by_any_name(tmp_path: Path) -> None:
    model = tmp_path / "model.h5"
    model.write_text("weights")
    (tmp_path / "link.h5").symlink_to(model)
    for path in (model, tmp_path / "link.h5", tmp_path / "x" / ".." / "model.h5"):
        with pytest.raises(UsageError, match="over a model"):
            check_writable(path, [str(model)])


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (("weightbridge_toolkit-0.1.0.dist-info", "weightbridge-0.0.4.dist-info"), True),
        (("weightbridge_toolkit-0.1.0.dist-info",), False),
        (("weightbridge-0.0.4.dist-info",), False),
        (("weightbridge_toolkit-0.1.0.dist-info", "weightbridge_other-1.dist-info"), False),
        ((), False),
    ],
    ids=["both", "ours", "theirs", "another", "none"],
)
def test_the_other_project_is_refused(tmp_path: Path, names: tuple[str, ...], refused: bool) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    path = [str(tmp_path), str(tmp_path / "missing"), "archive.zip"]
    if not refused:
        refuse_other_project(path)
        return
    with pytest.raises(UsageError, match=r"pip uninstall weightbridge weightbridge-toolkit"):
        refuse_other_project(path)


class Terminal:
    """A standard error that says whether it is a terminal, and keeps what is drawn on it."""

    encoding = "utf-8"

    def __init__(self, is_terminal: bool) -> None:
        self.is_terminal, self.text = is_terminal, ""

    def isatty(self) -> bool:
        return self.is_terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


@pytest.mark.parametrize(
    ("wanted", "is_terminal", "patience", "drawn"),
    [
        (True, True, 0.0, True),
        (True, True, 60.0, False),
        (True, False, 0.0, False),
        (False, True, 0.0, False),
    ],
    ids=["long", "short", "no-terminal", "not-wanted"],
)
def test_progress(
    monkeypatch: pytest.MonkeyPatch, wanted: bool, is_terminal: bool, patience: float, drawn: bool
) -> None:
    terminal = Terminal(is_terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PATIENCE", patience)
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress_bar(wanted) as report:
        assert (report is silent) is (not wanted or not is_terminal)
        for done in range(3):
            report("writing a\x1b[31m", done, 3)
        if drawn:
            report.timer.join()  # type: ignore[attr-defined]  # the bar appears by the clock
        report("reading back", 0, 0)
    assert ("writing a\\x1b[31m" in terminal.text or "reading back" in terminal.text) is drawn
    assert bool(terminal.text) is drawn
