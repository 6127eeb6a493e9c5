"""Arguments: what is built from code takes them, a model that is there already does not."""

from collections.abc import Mapping
from typing import Any

from weightbridge.errors import UsageError


def refuse_arguments(arguments: Mapping[str, Any] | None) -> None:
    """Raises UsageError where there are any."""
    if arguments:
        raise UsageError(
            f"arguments ({', '.join(arguments)}) go with py:module:callable only",
            fix="leave them out for a model that is there already",
        )
