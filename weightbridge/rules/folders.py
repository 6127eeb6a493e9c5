"""Where the rules are: the shipped ones inside the wheel or beside the package in a checkout, and the user's
for one command.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from weightbridge.errors import RuleError

Kind = Literal["dialect", "layout", "mapping", "name"]
Folders = tuple[Path, ...]
_USERS: ContextVar[Folders] = ContextVar("folders", default=())


def rules_folder() -> Path:
    """The folder of shipped rules. Raises RuleError where the installation has lost it."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "rules", here.parent / "rules"):
        if (folder / "layouts").is_dir():
            return folder
    raise RuleError(f"{here}: the shipped rules are missing", fix="install weightbridge-toolkit again")


@contextmanager
def with_rules(folders: Sequence[Path]) -> Iterator[None]:
    """Inside, the user's dialects and names count beside the shipped ones: what reads files and names is told
    no options.
    """
    token = _USERS.set(tuple(folders))
    try:
        yield
    finally:
        _USERS.reset(token)


def users() -> Folders:
    """The user's folders of rules, in the command that runs."""
    return _USERS.get()


def user_files(folders: Sequence[Path], kind: Kind) -> tuple[Path, ...]:
    """The user's files of one kind. Raises RuleError for a folder that is not there."""
    for folder in folders:
        if not folder.is_dir():
            raise RuleError(
                f"{folder}: no such folder of rules", fix="give --rules a folder with .toml files"
            )
    return tuple(
        path for folder in folders for path in sorted(folder.glob("**/*.toml")) if _kind_of_file(path) == kind
    )


def kind_of(data: Mapping[str, Any]) -> Kind:
    """What a rule file is about, told by what it holds."""
    if "versions" in data:
        return "dialect"
    if "function" in data:
        return "name"
    return "mapping" if "map" in data else "layout"


def _kind_of_file(path: Path) -> Kind:
    try:
        return kind_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return "layout"  # whose reader says what is wrong with it
