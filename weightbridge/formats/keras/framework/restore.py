"""A live model keeps its old values unless the caller says that the new ones are to stay."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from weightbridge.errors import WeightbridgeError
from weightbridge.formats.keras.framework.assign import save


@contextmanager
def restored_on_failure(model: Any) -> Iterator[Callable[[], None]]:
    """Yields `keep`; where it was not called when the context ends, however it ends, every variable has its
    old value.
    """
    before = [(variable, np.array(variable)) for variable in model.variables]
    kept: list[bool] = []
    try:
        yield lambda: kept.append(True)
    finally:
        if not kept:
            for variable, value in before:
                variable.assign(value)


def try_save(model: Any, path: Path) -> bool:
    """Whether the model could be saved whole, so that a copy of it can be run."""
    try:
        save(model, path)
    except WeightbridgeError:
        return False
    return True
