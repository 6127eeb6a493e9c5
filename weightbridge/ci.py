"""`python -m weightbridge.ci`: one run of the command line for GitHub Actions, as the environment says.

Writes every report to weightbridge-report/, annotations, $GITHUB_OUTPUT and $GITHUB_STEP_SUMMARY. Ends with 0
unless that cannot be done: the command's code is an output, which the action's last step exits with.
"""

import json
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weightbridge.errors import OutputError, UsageError, WeightbridgeError
from weightbridge.report.render.renderers import renderer
from weightbridge.report.values import Report

FOLDER = Path("weightbridge-report")
DEFAULT_CONFIG = "weightbridge.toml"
COMMANDS = ("check", "plan", "transfer", "verify")
OVER_PAIRS = {"check": ("check",), "plan": ("plan", "--locked")}  # what is run with a policy alone
# Format and file, the ones that later steps take by their names.
REPORTS = {
    "json": "report.json",
    "html": "report.html",
    "sarif": "report.sarif",
    "markdown": "summary.md",
    "comment": "comment.md",
    "github": "annotations.txt",
    "junit": "junit.xml",
}
MOST = 1 << 20  # bytes of a summary that GitHub keeps
KILLED = 128


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to: its exit code, and the data of its report."""

    code: int
    report: Mapping[str, Any]


def main(environment: Mapping[str, str] = os.environ) -> int:
    """The exit code of this program, not of the command."""
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in REPORTS.values():
            (FOLDER / name).unlink(missing_ok=True)
        run = _run(environment)
        _tell(run, environment)
    except OSError as error:
        print(f"weightbridge: cannot be written: {error}", file=sys.stderr)
        return OutputError.exit_code
    return 0


def arguments(environment: Mapping[str, str]) -> list[str]:
    """The command line that the inputs of the action ask for.

    No shell takes part, so no sign in them means anything. Raises UsageError for what is no command line.
    """
    command, source, target = (_given(environment, name) for name in ("COMMAND", "SOURCE", "TARGET"))
    command = command or "check"
    if command not in COMMANDS:
        raise UsageError(f"command {command!r} is none of {', '.join(COMMANDS)}")
    if bool(source) != bool(target):
        raise UsageError(
            "source and target go together", fix="Give both, or neither and a config with [[pair]]s"
        )
    models = _models(source, target) if source else _pairs(command, environment)
    options = [part for name, flag in OPTIONS for part in _option(environment, name, flag)]
    return [
        *(models if not source else (command, *models, *_policy(environment))),
        *options,
        *_more(environment),
    ]


def _run(environment: Mapping[str, str]) -> Run:
    """Once, as a program of its own: whatever ends it, there is a report."""
    try:
        command = arguments(environment)
    except WeightbridgeError as error:
        _quote(str(error))
        return _refused(environment, str(error), error.exit_code)
    reports = [part for format, name in REPORTS.items() for part in ("--report", f"{format}={FOLDER / name}")]
    place = command.index("--") if "--" in command else len(command)
    whole = [*command[:place], "--report", "text", *reports, "--no-progress", *command[place:]]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "weightbridge", *whole],  # the folder's own modules are not ours
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode("utf-8", "backslashreplace")
    _quote(said)
    code = KILLED - done.returncode if done.returncode < 0 else done.returncode
    report = _read(FOLDER / REPORTS["json"])
    return _refused(environment, said, code) if report is None else Run(code, report)


def _given(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip()


def _models(source: str, target: str) -> list[str]:
    for name, value in (("source", source), ("target", target)):
        if value.startswith("-"):
            raise UsageError(
                f"{name} {value!r} is an option, expected a model", fix=f"Write ./{value} for a file"
            )
    return [source, target]


def _pairs(command: str, environment: Mapping[str, str]) -> list[str]:
    if command not in OVER_PAIRS:
        fix = "Give source and target; check and plan can take the pairs of a config"
        raise UsageError(f"{command} needs two models", fix=fix)
    name, *more = OVER_PAIRS[command]
    return [name, f"--config={_given(environment, 'CONFIG') or DEFAULT_CONFIG}", *more]


def _policy(environment: Mapping[str, str]) -> list[str]:
    """The config as the policy; the usual name may be missing."""
    config = _given(environment, "CONFIG")
    return [f"--policy={config}"] if config and (config != DEFAULT_CONFIG or Path(config).exists()) else []


def _option(environment: Mapping[str, str], name: str, flag: str) -> list[str]:
    value = _given(environment, name)
    return [f"{flag}={value}"] if value else []


def _more(environment: Mapping[str, str]) -> list[str]:
    try:
        return shlex.split(_given(environment, "ARGS"))
    except ValueError as error:
        raise UsageError(
            f"args are no words of a command line: {error}", fix="Close the quotation mark"
        ) from error


def _refused(environment: Mapping[str, str], said: str, code: int) -> Run:
    """Every file, for a command that wrote none: what failed must not look like what passed."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    why = (
        lines[-1].removeprefix("weightbridge: ").removeprefix("Error: ").strip()
        if lines
        else f"it ended with exit code {code}"
    )
    command = _given(environment, "COMMAND")
    command = command if command in COMMANDS else "check"
    data = Report(command, "error", exit_code=code or 70, refused=why).to_dict()
    for format, name in REPORTS.items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_text(renderer(format)(data), encoding="utf-8")
    return Run(code or 70, data)


def _read(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    data: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def _quote(said: str) -> None:
    """To the log, where no line of it is a command to GitHub: a name in a model may look like one."""
    token = secrets.token_hex(16)
    _print(f"::stop-commands::{token}\n{said.rstrip()}\n::{token}::\n")


def _tell(run: Run, environment: Mapping[str, str]) -> None:
    if _is_on(environment, "ANNOTATIONS"):
        _print((FOLDER / REPORTS["github"]).read_text(encoding="utf-8"))
    if _is_on(environment, "SUMMARY"):
        _append(
            environment, "GITHUB_STEP_SUMMARY", (FOLDER / REPORTS["markdown"]).read_text(encoding="utf-8")
        )
    lines = (f"{name}={value}\n" for name, value in _outputs(run).items())
    _append(environment, "GITHUB_OUTPUT", "".join(lines))


def _outputs(run: Run) -> dict[str, object]:
    """Numbers and words of our own alone, none of a file."""
    severities = [found["severity"] for found in run.report["findings"]]
    return {
        "verdict": run.report["verdict"],
        "exit-code": run.code,
        "errors": severities.count("error"),
        "warnings": severities.count("warning"),
        "exact": f"{run.report['coverage']['fraction']:.4f}",
        "report": (FOLDER / REPORTS["json"]).as_posix(),
    }


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return _given(environment, name).lower() != "false"


def _append(environment: Mapping[str, str], name: str, text: str) -> None:
    """To the file that GitHub names; nothing outside of it."""
    path = environment.get(name)
    if path and len(text.encode()) < MOST:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


def _print(text: str) -> None:
    """GitHub reads UTF-8, whatever the system's own encoding is."""
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.flush()


OPTIONS = (("BASELINE", "--baseline"), ("FAIL_ON", "--fail-on"))

if __name__ == "__main__":
    sys.exit(main())
