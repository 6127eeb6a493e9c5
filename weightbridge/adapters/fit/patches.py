"""What a kernel reads at some places of its output, as rows of a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from weightbridge.model.tensors import Array


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel's taps, and where they are taken: one entry for each axis of space."""

    taps: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]  # how much is padded in front

    @property
    def size(self) -> int:
        return int(np.prod(self.taps, dtype=int))


def window(taps: Sequence[int], settings: Mapping[str, Any], places: Sequence[int]) -> Window:
    """places: the input's grid."""
    rank = len(taps)
    strides, dilation = (_of_rank(settings.get(key, 1), rank) for key in ("strides", "dilation_rate"))
    reach = [(k - 1) * d + 1 for k, d in zip(taps, dilation, strict=True)]
    before = [0] * rank
    if settings.get("padding") == "same":
        total = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(places, strides, reach, strict=True)]
        before = [t // 2 for t in total]
    elif settings.get("padding") == "causal":
        before = [r - 1 for r in reach]
    return Window(tuple(taps), strides, dilation, tuple(before))


def rows(x: Array, seen: Window, items: Array, places: Sequence[Array]) -> Array:
    """(rows, taps, channels): of these items, at these places of the output. Zeros beyond the border."""
    found = np.empty((len(items), seen.size, x.shape[-1]), dtype=x.dtype)
    for n, tap in enumerate(product(*map(range, seen.taps))):
        at = [
            place * s + t * d - b
            for place, s, t, d, b in zip(places, seen.strides, tap, seen.dilation, seen.before, strict=True)
        ]
        is_inside = np.ones(len(items), dtype=bool)
        for where, size in zip(at, x.shape[1:-1], strict=True):
            is_inside &= (where >= 0) & (where < size)
        clipped = [np.clip(where, 0, size - 1) for where, size in zip(at, x.shape[1:-1], strict=True)]
        found[:, n] = x[(items, *clipped)] * is_inside[:, None]
    return found


def _of_rank(value: Any, rank: int) -> tuple[int, ...]:
    numbers = tuple(value) if isinstance(value, list | tuple) else (value,) * rank
    return tuple(int(n) for n in numbers) if len(numbers) == rank else (int(numbers[0]),) * rank
