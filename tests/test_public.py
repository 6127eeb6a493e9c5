"""The public names are functions and values, whatever has been imported before, and in whatever order."""

import subprocess
import sys

import pytest

FUNCTIONS = ("check", "freeze", "inspect", "plan", "read", "stitch", "transfer", "verify")


@pytest.mark.parametrize(
    "first",
    ["pass", "import weightbridge.plan, weightbridge.transfer, weightbridge.verify", "from weightbridge import pipeline"],
    ids=["nothing", "the modules of the same names", "the pipeline"],
)
def test_public_names_are_functions(first: str) -> None:
    code = f"{first}\nimport weightbridge as wb\nfor name in {FUNCTIONS} * 2:\n    print(name, callable(getattr(wb, name)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:-1] == [f"{name} True" for name in FUNCTIONS * 2], done.stderr


def test_a_name_that_is_not_public_is_refused() -> None:
    import weightbridge as wb

    with pytest.raises(AttributeError, match="load_everything"):
        wb.load_everything  # noqa: B018
