"""The command line called in the tests' own process."""

from collections.abc import Callable

import pytest

from weightbridge.cli import main

Call = Callable[..., tuple[int, str, str]]


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def caller(capsys: pytest.CaptureFixture[str], *, bugs: bool = False) -> Call:
    """What calls a command and gives its exit code, standard output and standard error.

    bugs: whether a command may end as an internal error, which has a traceback; no other end has one.
    """

    def call(*arguments: str) -> tuple[int, str, str]:
        code = exit_code(*arguments)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err or (bugs and code == 70)
        return code, captured.out, captured.err

    return call
