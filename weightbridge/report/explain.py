"""What a WB code means and what to do (explanations.toml), as `rules show CODE` prints it."""

import tomllib
from pathlib import Path

from weightbridge.diagnostics import CODES

EXPLANATIONS = Path(__file__).with_name("explanations.toml")


def explain(code: str) -> str:
    """The code's name, severity and occasion, what it means, what to do, and how to change its severity."""
    known = CODES[code]
    said = tomllib.loads(EXPLANATIONS.read_text(encoding="utf-8"))[code]
    return (
        f"{code} {known.name} ({known.severity})\n\n"
        f"When:        {known.when}\n"
        f"It means:    {said['means']}\n"
        f"What to do:  {said['do']}\n\n"
        f'Another severity, in a policy file:  [severity] {code} = "error", "warning", "note" or "off"\n'
    )
