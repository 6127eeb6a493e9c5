"""The pytest plugin: reports of each test's assertions as files and in JUnit, a policy for all of them."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from weightbridge.boundary.asserting import Settings, with_settings

if TYPE_CHECKING:
    from weightbridge.report.values import Report

EVIDENCE = ("quick", "standard", "full")
FORMATS = ("html", "json")
LONGEST = 150  # signs of a file's name
TOLD = pytest.StashKey[int]()
RECORDED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and the ini key."""
    group = parser.getgroup("weightbridge", "weights that must have arrived")
    group.addoption(
        "--weightbridge-report",
        metavar="DIR",
        help="write the report of each assertion of weightbridge.testing to DIR, as HTML and JSON",
    )
    group.addoption(
        "--weightbridge-evidence",
        choices=EVIDENCE,
        help="how much assert_equivalent runs, whatever the tests say",
    )
    parser.addini("weightbridge_policy", "the policy of weightbridge.testing's assertions", type="string")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Each test's assertions go by the options, and tell the test of their reports."""
    with with_settings(_settings(item)):
        return (yield)


@pytest.fixture
def weightbridge_report(request: pytest.FixtureRequest) -> "Callable[[Report], None]":
    """Verdict, exact share, errors and warnings of the test's assertions go into JUnit's properties.

    Call it with a Report of your own to record that too.
    """
    request.node.stash[RECORDED] = True
    return lambda report: _record(request.node, report)


def _settings(item: pytest.Item) -> Settings:
    policy = item.config.getini("weightbridge_policy")
    folder = item.config.inipath.parent if item.config.inipath else item.config.rootpath
    return Settings(
        policy=folder / policy if policy else None,
        evidence=item.config.getoption("--weightbridge-evidence"),
        tell=lambda report: _told(item, report),
    )


def _told(item: pytest.Item, report: "Report") -> None:
    item.stash[TOLD] = number = item.stash.get(TOLD, 0) + 1
    folder = item.config.getoption("--weightbridge-report")
    if folder:
        _write(Path(folder), _name(item.nodeid, number), report)
    if item.stash.get(RECORDED, False):
        _record(item, report)


def _record(item: Any, report: "Report") -> None:
    found = [one.severity for one in report.findings]
    values = {
        "verdict": report.verdict,
        "exact": f"{report.coverage.fraction:.4f}",
        "errors": found.count("error"),
        "warnings": found.count("warning"),
    }
    item.user_properties += [(f"weightbridge_{key}", value) for key, value in values.items()]


def _name(test: str, number: int) -> str:
    """`tests-test_model.py-test_backbone`; told apart by a hash where signs were left out."""
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", test)[-LONGEST:].strip("-.")
    is_whole = re.fullmatch(r"[A-Za-z0-9_./]+(::[A-Za-z0-9_]+)+", test) and len(test) < LONGEST
    mark = "" if is_whole else f"-{hashlib.sha256(test.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return f"{plain}{mark}" if number == 1 else f"{plain}{mark}-{number}"


def _write(folder: Path, name: str, report: "Report") -> None:
    # a run that writes no report does without these
    from weightbridge.boundary.files import write_text
    from weightbridge.report.render.renderers import renderer

    folder.mkdir(parents=True, exist_ok=True)
    data = report.to_dict()
    for format in FORMATS:
        write_text(folder / f"{name}.{format}", renderer(format)(data), overwrite=True)
