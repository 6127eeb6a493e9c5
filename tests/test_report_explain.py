"""Every code is explained."""

import tomllib

import pytest

from weightbridge.errors.diagnostics import CODES
from weightbridge.report.explain import EXPLANATIONS, explain


def test_every_code_and_no_other_is_explained() -> None:
    assert set(tomllib.loads(EXPLANATIONS.read_text())) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_says_when_what_and_what_to_do(code: str) -> None:
    text = explain(code)
    assert text.startswith(f"{code} {CODES[code].name} ({CODES[code].severity})")
    assert CODES[code].when in text
    assert all(
        len(line.split(":", 1)[1]) > 10
        for line in text.splitlines()
        if line.startswith(("It means:", "What to do:"))
    )
