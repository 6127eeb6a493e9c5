"""The public names are functions and values, whatever has been imported before, and in whatever order."""

import subprocess
import sys

import pytest

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
    "not there yet": ({"adapt": "fit", "calibrate": "x.npz"}, "not in this version"),
    "of ours": ({"explicit": ()}, "unknown option"),
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
