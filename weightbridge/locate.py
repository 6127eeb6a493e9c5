"""Where the shipped rules are: inside the wheel, or beside the package in a checkout."""

from pathlib import Path

from weightbridge.errors import RuleError


def rules_folder() -> Path:
    """The folder of shipped rules. Raises RuleError where the installation has lost it."""
    here = Path(__file__).resolve().parent
    for folder in (here / "rules", here.parent / "rules"):
        if (folder / "layouts").is_dir():
            return folder
    raise RuleError(f"{here}: the shipped rules are missing", fix="install weightbridge-toolkit again")
