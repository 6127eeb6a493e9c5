"""What a WB code means and what to do (explanations.toml), as `rules show CODE` prints it."""

import tomllib
from functools import lru_cache
from pathlib import Path

from weightbridge.errors.diagnostics import CODES

EXPLANATIONS = Path(__file__).with_name("explanations.toml")


def explanation(code: str) -> tuple[str, str]:
    """What a code means, and what to do."""
    said = _explanations()[code]
    return said["means"], said["do"]


def explain(code: str) -> str:
    """The code's name, severity and occasion, what it means, what to do, and how to change its severity."""
    known = CODES[code]
    means, to_do = explanation(code)
    return (
        f"{code} {known.name} ({known.severity})\n\n"
        f"When:        {known.when}\n"
        f"It means:    {means}\n"
        f"What to do:  {to_do}\n\n"
        f'Another severity, in a policy file:  [severity] {code} = "error", "warning", "note" or "off"\n'
    )


@lru_cache(maxsize=1)
def _explanations() -> dict[str, dict[str, str]]:
    return tomllib.loads(EXPLANATIONS.read_text(encoding="utf-8"))
