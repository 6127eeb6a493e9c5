"""A progress bar on standard error, for what takes longer than two seconds on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING

from weightbridge.boundary.options import Progress, silent
from weightbridge.report.escape import visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

PATIENCE = 2.0


@contextmanager
def progress_bar(is_wanted: bool) -> Iterator[Progress]:
    """What commands call with stage, done and total.

    Nothing is drawn, or imported, before two seconds are over.
    """
    if not is_wanted or sys.stderr is None or not sys.stderr.isatty():
        yield silent
        return
    shown = _Shown()
    try:
        yield shown
    finally:
        shown.stop()


class _Shown:
    """The bar of a running command: a terminal's line is a resource that has to be given back."""

    def __init__(self) -> None:
        self.now: tuple[str, int, int] = ("", 0, 0)
        self.stage = ""
        self.bars: Bars | None = None
        self.is_over = False
        self.lock = Lock()
        self.timer = Timer(PATIENCE, self._begin)
        self.timer.daemon = True
        self.timer.start()

    def __call__(self, stage: str, done: int, total: int) -> None:
        with self.lock:
            self.now = stage, done, total
            self._draw()

    def stop(self) -> None:
        self.timer.cancel()
        with self.lock:
            self.is_over = True
            if self.bars is not None:
                self.bars.stop()

    def _begin(self) -> None:
        """By the clock: a stage that takes long may have been said before."""
        bars = _bars()
        with self.lock:
            if not self.is_over:
                self.bars = bars
                self.bars.start()
                self._draw()

    def _draw(self) -> None:
        stage, done, total = self.now
        if self.bars is None or not stage:
            return
        kind = stage.partition(": ")[0]  # `fitting: conv1` goes on with what `fitting: stem` has begun
        if kind != self.stage:
            for task in self.bars.task_ids:
                self.bars.remove_task(task)
            self.bars.add_task(visible(stage), total=total or None)
            self.stage = kind
        task, text = self.bars.task_ids[0], visible(stage)
        self.bars.update(task, description=text, completed=done, total=total or None)


def _bars() -> "Bars":
    """What is done, a bar, how much of it where that is known, and for how long already."""
    from rich.console import Console  # only where a bar is drawn
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    times = TimeElapsedColumn(), TimeRemainingColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), *times)
    return Bars(*columns, console=Console(stderr=True), transient=True)
