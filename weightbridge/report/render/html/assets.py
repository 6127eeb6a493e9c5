"""The style sheets and the script beside the template."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
