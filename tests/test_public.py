"""The public names are functions and values, whatever has been imported before, and in whatever order."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from report_samples import write_keras

FUNCTIONS = ("check", "freeze", "inspect", "plan", "read", "stitch", "transfer", "verify")


@pytest.mark.parametrize(
    "first",
    [
        "pass",
        "import weightbridge.plan, weightbridge.transfer, weightbridge.verify",
        "from weightbridge.commands import check, plan, transfer",
    ],
    ids=["nothing", "the modules of the same names", "the commands"],
)
def test_public_names_are_functions(first: str) -> None:
    code = (
        f"{first}\nimport weightbridge as wb\n"
        f"for name in {FUNCTIONS} * 2:\n    print(name, callable(getattr(wb, name)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:-1] == [f"{name} True" for name in FUNCTIONS * 2], done.stderr


def test_a_name_that_is_not_public_is_refused() -> None:
    import weightbridge as wb

    with pytest.raises(AttributeError, match="load_everything"):
        wb.load_everything  # noqa: B018


def test_the_public_names_are_listed() -> None:
    import weightbridge as wb

    assert {*FUNCTIONS, "features", "Plan", "Report"} <= set(dir(wb))


WRONG = {
    "choice": ({"adapt": "all"}, "one of none, same, weights, fit"),
    "when to fail": ({"fail_on": "note"}, "one of error, warning, never"),
    "fraction": ({"min_coverage": 7}, "a number from 0 to 1"),
    "text": ({"min_coverage": "all"}, "a number from 0 to 1"),
    "map": ({"map": ["a=b"]}, "pairs"),
    "map of one": ({"map": "a=b"}, "pairs"),
    "globs": ({"fresh": 3}, "a text"),
    "path": ({"policy": 3}, "a path"),
    "of ours": ({"explicit": ()}, "unknown option"),
    "of the command line": ({"hashes": False}, "unknown option"),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_a_usage_error(given: dict[str, object], said: str) -> None:
    from weightbridge.api.arguments import make_options
    from weightbridge.errors import UsageError

    with pytest.raises(UsageError, match=said):
        make_options(given)


def test_a_keyword_goes_before_a_policy() -> None:
    from weightbridge.api.arguments import make_options

    assert make_options({"fail_on": "never", "fresh": "a"}).explicit == {"fail_on"}


@pytest.mark.parametrize("name", ["check", "plan", "transfer"])
def test_functions_take_what_their_commands_take(name: str) -> None:
    from dataclasses import fields
    from inspect import Parameter, signature

    import weightbridge as wb
    from weightbridge.api.arguments import JUDGING
    from weightbridge.boundary.options import Options

    parameters = signature(getattr(wb, name)).parameters
    assert Parameter.VAR_KEYWORD not in {p.kind for p in parameters.values()}
    of_running = {"explicit", "severities", "probe", "evidence", "verify", "overwrite"}
    known = (
        {field.name for field in fields(Options)}
        - JUDGING
        - {"hashes"}  # of the command line, which knows who reads the report
        - {"architecture", "engine", "input_layout", "input_shape", "opset"}  # of convert
        - (of_running if name != "transfer" else {"explicit", "severities"})
    )
    assert known <= set(parameters)
    assert "calibrate" in parameters


@pytest.mark.parametrize(
    ("call", "text"),
    [
        pytest.param(
            lambda wb: wb.check("a", "b", mpa={}), "unexpected keyword argument 'mpa'. Known are", id="name"
        ),
        pytest.param(lambda wb: wb.check("a"), "missing a required argument: 'target'", id="too few"),
        pytest.param(lambda wb: wb.transfer("a", "b", 3), "output=3: expected a path", id="no path"),
        pytest.param(lambda wb: wb.transfer("a", "b", "c", on_fail="x"), "on_fail='x'", id="choice"),
        pytest.param(lambda wb: wb.read("a\0b"), "null character", id="null"),
        pytest.param(lambda wb: wb.Plan.load(None), "expected a path", id="plan"),
        pytest.param(lambda wb: wb.check("a", "b", overwrite=1), "overwrite", id="of another command"),
    ],
)
def test_a_wrong_call_is_a_usage_error(call: Any, text: str) -> None:
    import weightbridge as wb
    from weightbridge.errors import UsageError

    with pytest.raises(UsageError, match=text):
        call(wb)


def test_a_verdict_that_is_no_pass_is_raised_with_its_report(tmp_path: Path) -> None:
    import weightbridge as wb

    write_keras(tmp_path / "a.keras", (4, 3), ("first",), seed=1)
    write_keras(tmp_path / "b.keras", (4, 3, 2), ("first", "second"), seed=2)
    given = {"source": tmp_path / "a.keras", "target": tmp_path / "b.keras", "output": tmp_path / "o.keras"}
    with pytest.raises(wb.VerdictError) as failed:
        wb.transfer(**given, verify=False)
    report = failed.value.report
    assert (report.ok, report.verdict, failed.value.code) == (False, "fail", report.findings[0].code)
    assert wb.transfer(**given, verify=False, on_fail="return") == report
    passed = wb.transfer(
        **given, verify=False, plan=wb.plan(given["source"], given["target"], fresh="second")
    )
    assert passed.ok
    assert passed.coverage.fraction == 15 / 23
    assert passed.to_markdown().startswith("## ")
    assert passed._repr_html_().startswith('<div class="weightbridge"')
