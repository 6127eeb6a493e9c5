"""A progress bar on standard error, for what takes longer than two seconds on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
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
        self.start, self.stage = monotonic(), ""
        self.bars: Bars | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if monotonic() - self.start < PATIENCE:
            return
        if self.bars is None:
            self.bars = _bars()
        if stage != self.stage:
            for task in self.bars.task_ids:
                self.bars.remove_task(task)
            self.bars.add_task(visible(stage), total=total or None)
            self.stage = stage
        self.bars.update(self.bars.task_ids[0], completed=done, total=total or None)

    def stop(self) -> None:
        if self.bars is not None:
            self.bars.stop()


def _bars() -> "Bars":
    from rich.console import Console  # only where a bar is drawn
    from rich.progress import Progress as Bars

    bars = Bars(console=Console(stderr=True), transient=True)
    bars.start()
    return bars
