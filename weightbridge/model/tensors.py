"""Tensor: a weight's name, role, shape and dtype, known without reading its bytes."""

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from weightbridge.boundary.records import dataclass

Array = NDArray[Any]
COUNTED = frozenset({"bool", "int16", "int32", "int64", "uint16", "uint32", "uint64"})

ROUNDED = {"data": "rounded"}  # among the parameters of a quantised tensor: its layer rounds the data too


@dataclass(frozen=True, slots=True)
class Computed:
    """How a weight is computed from stored tensors: `conv.weight` from `conv.weight_g` and `conv.weight_v`.

    transform: a named transform, "" for another name of one tensor.
    """

    parts: tuple["Tensor", ...]
    transform: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One weight of a model.

    name: its path in its own file as that format's users write it, unique in the graph (`conv1/kernel`,
    `layer1.0.weight`).
    role: `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`, `recurrent_kernel`,
    `embeddings`, ...;
        `var0`, `var1`, ... where the class is unknown.
    shape: in the file's own axis order. dtype: numpy's name (`float32`, `bfloat16`, ...).
    key: the storage address that the format's writer understands (HDF5 dataset path, initializer's name).
    load: reads the bytes; called in transfer and verify only.
    axes: what its axes are in that order (`h w i o`), "" where it is not known; model/layouts has the names.
    computed: how it is computed, None where it is stored as it is.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    key: str
    load: Callable[[], Array]
    trainable: bool = True
    axes: str = ""
    computed: Computed | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes when loaded."""
        return self.size * dtype_of(self.dtype).itemsize

    @property
    def is_float(self) -> bool:
        return "float" in self.dtype

    @property
    def is_counted(self) -> bool:
        """Whether these are positions, indices, counters or masks: constants that no training changes."""
        return self.dtype in COUNTED


def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy dtype of a name such as `float32` or `bfloat16` (from ml_dtypes where numpy has none)."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes  # registers bfloat16 and the float8 family; loaded only when a file has them

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found


@cache
def name_of(dtype: np.dtype[Any]) -> str:
    """The same the other way round; numpy puts the name together anew each time."""
    return dtype.name


def as_numbers(array: Array) -> Array:
    """Text as numbers (its CRC-32), which are equal where the text is; all else as it is."""
    if array.dtype.kind not in "OSU":
        return array
    codes = [crc32(word if isinstance(word, bytes) else str(word).encode()) for word in array.ravel()]
    return np.array(codes, np.float64).reshape(array.shape)
