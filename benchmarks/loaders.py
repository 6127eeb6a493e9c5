"""Cases and outcomes of benchmarks/against_*.py: what a loader filled, and what it said.

Each case has a source with known values. Right means: the target's tensor holds the value of its counterpart,
bit by bit. WRONG means: it holds the value of another.
"""

import contextlib
import importlib.util
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import weightbridge as wb

Values = dict[str, Any]
NOTHING = "says nothing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a loader did: how many of the tensors that have a counterpart are right, and what it said.

    wrong: tensors that hold the value of another. total: those with a counterpart.
    """

    right: int
    wrong: int
    total: int
    said: str

    def __str__(self) -> str:
        filled = f"{self.right} of {self.total} right"
        return f"{filled}{f', {self.wrong} WRONG' if self.wrong else ''}; {self.said}"


@dataclass(frozen=True, slots=True)
class Case:
    """A file, a target, and the truth: for each target tensor that has a counterpart, its value."""

    name: str
    file: Path
    build: Callable[[], Any]
    truth: Values
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@contextlib.contextmanager
def said() -> Iterator[list[str]]:
    """What is warned or logged as a warning; what is merely printed is kept off the table."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in (None, "transformers", "timm")]
    for logger in loggers:
        logger.addHandler(handler)
    stream = io.StringIO()
    try:
        with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stderr(stream):
            warnings.simplefilter("always")
            with contextlib.redirect_stdout(stream):
                yield heard
            heard += [str(one.message) for one in warned]
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def outcome(case: Case, load: Callable[[Any], Any], values: Callable[[Any], Values]) -> Outcome:
    """Build the target, load, and look at every tensor that has a counterpart."""
    model = case.build()
    error = ""
    answer: Any = None
    with said() as heard:
        try:
            answer = load(model)
        except Exception as raised:  # noqa: BLE001  # whatever a loader raises is what is measured
            error = f"raises {type(raised).__name__}"
    if isinstance(answer, wb.Report):
        error = ", ".join((answer.verdict.upper(), *sorted({found.code for found in answer.findings})))
    now = values(model)
    right = [name for name, value in case.truth.items() if np.array_equal(now[name], value)]
    known = {value.tobytes() for value in case.truth.values()}
    wrong = [name for name, value in now.items() if name not in right and value.tobytes() in known]
    return Outcome(
        right=len(right),
        wrong=len(wrong),
        total=len(case.truth),
        said=error or ("warns" if heard else NOTHING),
    )


def table(title: str, columns: tuple[str, ...], rows: list[tuple[str, list[str]]]) -> None:
    print(f"\n## {title}\n")
    print("| " + " | ".join(("case", *columns)) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, cells in rows:
        print(f"| {name} | {' | '.join(cells)} |")


def has(*modules: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in modules)
