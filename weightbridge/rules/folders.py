"""Where the rules are: the shipped ones (in the wheel, or beside the package), and the user's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from weightbridge.errors import RuleError

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
    """Inside, the user's dialects and names count beside the shipped ones.

    What reads files and names is told no options.
    """
    token = _USERS.set(tuple(folders))
    try:
        yield
    finally:
        _USERS.reset(token)


def users() -> Folders:
    """The user's folders of rules, in the command that runs."""
    return _USERS.get()
