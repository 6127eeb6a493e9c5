"""How a run is spoken of: unique names of outputs, shapes, what an error says first."""

from collections.abc import Sequence

import numpy as np

from weightbridge.model.tensors import Array


def unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        name if names.index(name) == i else f"{name}#{list(names[:i]).count(name)}"
        for i, name in enumerate(names)
    )


def shapes_of(arrays: Sequence[Array]) -> str:
    return ", ".join(f"{np.asarray(array).dtype} {np.shape(array)}" for array in arrays)


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:400]
