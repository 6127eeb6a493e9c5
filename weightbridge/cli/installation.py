"""Refusing to start where the unrelated PyPI project `weightbridge` is installed over this one.

Both fill the same folder.
"""

from collections.abc import Iterable
from pathlib import Path

from weightbridge.errors import UsageError

OURS, OTHER = "weightbridge_toolkit-", "weightbridge-"


def refuse_other_project(folders: Iterable[str]) -> None:
    """Raises UsageError where both distributions are installed in the folders that Python imports from.

    Their names are read from the folders: importlib.metadata costs every start more than all else that
    happens before a command.
    """
    found = [name for folder in folders for name in _installed(Path(folder or "."))]
    other = [name for name in found if name.startswith(OTHER)]
    if other and any(name.startswith(OURS) for name in found):
        message = f"another project with the same import name is installed over this one ({other[0]})"
        both = "weightbridge weightbridge-toolkit"
        fix = f"Run `pip uninstall {both}`, then `pip install weightbridge-toolkit`"
        raise UsageError(message, fix=fix)


def _installed(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.glob("weightbridge[-_]*.dist-info"))
    except OSError:  # a folder on the path that cannot be read has nothing that could be imported
        return []
