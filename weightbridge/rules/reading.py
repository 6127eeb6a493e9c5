"""The one reader of TOML rule files: opened, bounded, parsed once, checked for unknown keys."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from weightbridge.errors import RuleError

Kind = Literal["dialect", "layout", "mapping", "name"]
Table = Mapping[str, Any]
FIX = "docs/rules.md has the schema"
MOST_BYTES = 1 << 24


def parsed(path: Path) -> Table:
    """What a rule file holds. Raises RuleError for one that is too large or no TOML.

    A file is parsed anew only where it has changed: each kind of rule looks through all files of a user's.
    """
    try:
        state = path.stat()
        if state.st_size > MOST_BYTES:
            raise ValueError(f"it has {state.st_size} bytes, more than {MOST_BYTES}")
        return _parsed(path.absolute(), state.st_mtime_ns, state.st_size)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


@lru_cache(maxsize=1024)
def _parsed(path: Path, changed: int, size: int) -> Table:
    """The same for one state of the file; `changed` and `size` tell it from others."""
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def _unreadable(path: Path, reason: object) -> RuleError:
    return RuleError(f"the rule cannot be read: {reason}", where=str(path), fix=FIX)


def kind_of(data: Table) -> Kind:
    """What a rule file is about, told by what it holds."""
    if "versions" in data:
        return "dialect"
    if "function" in data:
        return "name"
    return "mapping" if "map" in data else "layout"


def user_files(folders: Sequence[Path], kind: Kind) -> tuple[Path, ...]:
    """The user's files of one kind. Raises RuleError for a folder that is not there."""
    for folder in folders:
        if not folder.is_dir():
            fix = "give --rules a folder with .toml files"
            raise RuleError(f"{folder}: no such folder of rules", fix=fix)
    paths = [path for folder in folders for path in sorted(folder.glob("**/*.toml"))]
    return tuple(path for path in paths if _kind_of_file(path) == kind)


def _kind_of_file(path: Path) -> Kind:
    try:
        return kind_of(parsed(path))
    except RuleError:
        return "layout"  # whose reader says what is wrong with it


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Inside, a rule is made of its file.

    Raises RuleError, with the file, for what is missing or misshapen.
    """
    try:
        yield
    except RuleError as error:
        raise RuleError(error.message, where=str(path), fix=FIX) from error
    except KeyError as error:
        raise _unreadable(path, f"the key {error} is missing") from error
    except (AttributeError, TypeError, ValueError, re.error) as error:
        raise _unreadable(path, error) from error


def refuse(problems: Iterable[str]) -> None:
    """Raises RuleError with all problems, where there are any."""
    text = "; ".join(problems)
    if text:
        raise RuleError(text)


def unknown_keys(table: Table, known: frozenset[str], what: str) -> list[str]:
    """A problem for each key that the table may not have."""
    return [f"unknown key {key!r} in {what}" for key in sorted(set(table) - known)]


def one_sided(fits: Iterable[object]) -> list[str]:
    """The problem of a rule whose cases all fit, or all do not."""
    if {bool(fit) for fit in fits} == {True, False}:
        return []
    return ["give at least one case that fits and one that does not"]
