"""Which tests each hand-set weight of matching by names decides.

Every weight is set to nothing and halved, and the tests that then fail are listed.

    python benchmarks/score_weights.py [--weight NAME ...] [TESTS ...]

A weight that no test fails without decides nothing that the suite knows of.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import click
import pytest

from weightbridge.matching.uses.weights import WEIGHTS

ROOT = Path(__file__).parents[1]
NAMES = tuple(field.name for field in fields(WEIGHTS))
FACTORS = (0.0, 0.5)
BESIDE = ("tests/test_bundles.py",)


class Failures:
    """A pytest plugin that keeps the names of the tests that fail."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.names.append(report.nodeid)


@click.command(help=__doc__.partition("\n")[0])
@click.argument("tests", nargs=-1)
@click.option("--weight", "names", type=click.Choice(NAMES), multiple=True, help="Only these.")
@click.option("--factor", type=float, help="Run the tests once with the one weight times this; JSON.")
def cli(tests: Sequence[str], names: Sequence[str], factor: float | None) -> None:
    """Every variant runs in a process of its own: results are kept between matchings."""
    paths = tests or _usual_tests()
    if factor is not None:
        click.echo("\n" + json.dumps(failing_tests(names[0], factor, paths)))
        return
    for name in names or NAMES:
        for times in FACTORS:
            failed = _in_own_process(name, times, paths)
            click.echo(f"{name} = {getattr(WEIGHTS, name)} times {times:g}: {len(failed)} tests fail")
            click.echo("".join(f"    {test}\n" for test in failed), nl=False)


def failing_tests(name: str, factor: float, tests: Sequence[str]) -> list[str]:
    """The names of the tests that fail with one weight changed in this process."""
    object.__setattr__(WEIGHTS, name, factor * getattr(WEIGHTS, name))
    failures = Failures()
    pytest.main(["-q", "-m", "not framework and not slow", "-p", "no:cacheprovider", *tests], [failures])
    return failures.names


def _in_own_process(name: str, factor: float, tests: Sequence[str]) -> list[str]:
    command = [sys.executable, __file__, "--weight", name, "--factor", str(factor), *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    failed: list[str] = json.loads(done.stdout.splitlines()[-1])
    return failed


def _usual_tests() -> tuple[str, ...]:
    paths = sorted((ROOT / "tests").glob("test_matching_*.py"))
    return (*(str(path.relative_to(ROOT)) for path in paths), *BESIDE)


if __name__ == "__main__":
    cli()
