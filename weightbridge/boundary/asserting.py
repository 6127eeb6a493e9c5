"""What holds for all assertions of a test run, wherever they are made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weightbridge.boundary.options import Evidence

if TYPE_CHECKING:
    from weightbridge.report.values import Report


@dataclass(frozen=True, slots=True)
class Settings:
    """policy: where none is given. evidence: whatever is given. tell: is told of each report first."""

    policy: Path | None = None
    evidence: Evidence | None = None
    tell: "Callable[[Report], None] | None" = None


PLAIN = Settings()
_SETTINGS: ContextVar[Settings] = ContextVar("weightbridge_settings", default=PLAIN)


def settings() -> Settings:
    return _SETTINGS.get()


@contextmanager
def with_settings(new: Settings) -> Iterator[None]:
    """Inside, assertions go by these settings."""
    token = _SETTINGS.set(new)
    try:
        yield
    finally:
        _SETTINGS.reset(token)
