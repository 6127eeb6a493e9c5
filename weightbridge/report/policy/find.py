"""Where the policy of a working directory is: upwards, as far as the repository reaches."""

import os
from pathlib import Path

NAME, PROJECT = "weightbridge.toml", "pyproject.toml"
TABLE = b"tool.weightbridge"
LARGEST = 1 << 20


def find_policy(start: Path | None = None) -> Path | None:
    """The nearest weightbridge.toml, or pyproject.toml with [tool.weightbridge]; as seen from `start`.

    The search ends at the root of the repository, where there is one.
    """
    here = Path(start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        found = next((path for path in (folder / NAME, folder / PROJECT) if _is_policy(path)), None)
        if found is not None:
            return Path(os.path.relpath(found, here))
        if (folder / ".git").exists():
            return None
    return None


def _is_policy(path: Path) -> bool:
    """What cannot be read is none here: nobody has asked for it."""
    try:
        if not path.is_file():
            return False
        return path.name == NAME or (path.stat().st_size < LARGEST and TABLE in path.read_bytes())
    except OSError:
        return False
