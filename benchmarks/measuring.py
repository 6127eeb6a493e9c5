"""Wall time and peak memory of a process, as the benchmarks measure them, and their table.

This module and the scripts themselves import nothing large: on Linux a child's peak counts what its parent
held when it started it.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

Command = Sequence[str | Path]
WEIGHTBRIDGE = Path(sys.executable).parent / "weightbridge"


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall time and processor time in seconds, peak resident memory in bytes.

    The medians where a command ran several times.
    """

    seconds: float
    peak: int
    processor: float = 0.0

    @property
    def said(self) -> str:
        return f"{self.seconds:.2f} s ({self.processor:.2f} s of processor)"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what was measured, for both, and the bound that the ratio must keep."""

    name: str
    ours: str
    theirs: str
    ratio: float
    bound: float
    at_least: bool

    @property
    def is_kept(self) -> bool:
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound


def run(command: Command) -> Cost:
    """One run of a command that must succeed; its output is thrown away."""
    with TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=errors, env=_environment()
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if child.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {child.returncode}\n{said[-2000:]}")
    return Cost(seconds, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)


def median(command: Command, times: int, fresh: Path | None = None) -> Cost:
    """The medians of several runs; `fresh` is removed before each."""
    return medians((command,), times, fresh)[0]


def medians(commands: Sequence[Command], times: int, fresh: Path | None = None) -> tuple[Cost, ...]:
    """The same of several commands, in turns: what else the machine does slows all of them."""
    costs: list[list[Cost]] = [[] for _ in commands]
    for _ in range(times):
        for n, command in enumerate(commands):
            if fresh is not None:
                fresh.unlink(missing_ok=True)
            costs[n].append(run(command))
    return tuple(_middle(one) for one in costs)


def _middle(costs: Sequence[Cost]) -> Cost:
    seconds, peak, processor = (
        statistics.median(getattr(c, name) for c in costs) for name in ("seconds", "peak", "processor")
    )
    return Cost(seconds, int(peak), processor)


def python(code: str, *arguments: str | Path) -> list[str | Path]:
    """The command that runs this code in a fresh Python."""
    return [sys.executable, "-c", code, *arguments]


def finish(title: str, rows: Sequence[Row], command: str) -> None:
    """Print the table; exit with 1 where a bound is not kept."""
    print(
        f"### {title}\n\n"
        "| what | weightbridge | compared with | ratio | bound | kept |\n|---|---|---|---|---|---|"
    )
    for row in rows:
        sign = "at least" if row.at_least else "at most"
        print(
            f"| {row.name} | {row.ours} | {row.theirs} | {row.ratio:.2f} | {sign} {row.bound:g} "
            f"| {'yes' if row.is_kept else '**no**'} |"
        )
    print(f"\nPrinted by `{command}` on {os.cpu_count()} cores.")
    sys.exit(0 if all(row.is_kept for row in rows) else 1)


def megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def need(path: Path, size: int) -> None:
    """Stop early where the disk cannot hold what the benchmark writes."""
    if shutil.disk_usage(path).free < size:
        raise SystemExit(f"{path}: this benchmark writes {megabytes(size)}; give a folder with more room")


def _environment() -> dict[str, str]:
    """With compiled modules kept, as any installed package has them.

    Both sides would else compile at every start.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"}
