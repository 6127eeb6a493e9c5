"""Stored variables -> Tensors, whose bytes are read when asked for, in place where they can be."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt, Unsupported
from weightbridge.formats.hdf5.opening import opened
from weightbridge.formats.hdf5.tree import Dataset
from weightbridge.formats.keras.variables.stored import Variable
from weightbridge.formats.streamed import Run, Value
from weightbridge.model.tensors import Array, Tensor, name_of

STATISTICS = (
    *("moving_mean", "moving_variance", "mean", "variance", "vector_u"),
    *("moving_stddev", "renorm_mean", "renorm_stddev"),
)
KINDS = "fiub"


@dataclass(frozen=True, slots=True)
class Stored:
    """Loads an array's values, in the machine's byte order."""

    dataset: Dataset
    copy: Dataset | None = None  # a second place of the same values

    def __call__(self) -> Array:
        return load(self.dataset)

    @property
    def run(self) -> Run | None:
        """Where the bytes lie, where they are as they are in memory."""
        stored = self.dataset
        if stored.offset is None or stored.stored != stored.nbytes or not stored.dtype.isnative:
            return None
        region = stored.region
        return Run(region.path, region.start + stored.offset, stored.nbytes, f"{region.label}: {stored.path}")


def tensor_of(layer: str, variable: Variable, trainable: bool, copy: Dataset | None = None) -> Tensor:
    """The tensor `layer/variable`. Raises Unsupported for a dtype that is no number."""
    dataset = variable.dataset
    return Tensor(
        name=f"{layer}/{variable.name}",
        role=variable.role,
        shape=dataset.shape,
        dtype=dtype_name(dataset),
        key=dataset.path,
        load=Stored(dataset, copy),
        trainable=trainable and variable.role not in STATISTICS,
    )


def dtype_name(dataset: Dataset) -> str:
    """numpy's name of the dtype."""
    dtype = dataset.dtype
    if dtype.kind not in KINDS and name_of(dtype) != "bfloat16":
        raise Unsupported(
            f"a weight of dtype {dtype}, which is no number",
            where=f"{dataset.region.label}: {dataset.path}",
            fix="Weights are floats, integers or booleans: save the model without this layer",
        )
    return name_of(dtype)


def datasets_of(tensors: Iterable[Tensor]) -> dict[str, Dataset]:
    """Where the tensors of a file in HDF5 are stored, by key; copies by their own paths."""
    stored = {t.key: t.load for t in tensors if isinstance(t.load, Stored)}
    copies = [place.copy for place in stored.values() if place.copy is not None]
    return {key: place.dataset for key, place in stored.items()} | {copy.path: copy for copy in copies}


def with_copies(values: Iterable[tuple[Tensor, Value]]) -> Iterator[tuple[Tensor, Value]]:
    """The values, and those of tensors that are stored twice once more, with the key of the copy."""
    for tensor, value in values:
        yield tensor, value
        if isinstance(tensor.load, Stored) and tensor.load.copy is not None:
            yield replace(tensor, key=tensor.load.copy.path), value


def load(dataset: Dataset) -> Array:
    """The array's values, in the machine's byte order."""
    region = dataset.region
    if dataset.offset is None or not dataset.stored:
        with opened(region) as file:
            array = np.asarray(file[dataset.path][()])
        return array.view(dataset.dtype) if array.dtype.kind == "V" else _native(array)
    start = region.start + dataset.offset
    if region.path.stat().st_size < start + dataset.nbytes:
        raise Corrupt(
            "the file has become shorter since its header was read",
            where=f"{region.label}: {dataset.path}",
            fix="Run it again",
        )
    count = dataset.nbytes // dataset.dtype.itemsize
    values: Array = np.fromfile(region.path, dtype=dataset.dtype, count=count, offset=start)
    return _native(values.reshape(dataset.shape))


def _native(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder("="), copy=False)
