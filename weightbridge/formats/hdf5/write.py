"""Copies of HDF5 files with other values in some arrays: same headers, one array in memory at a time."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import h5py
import numpy as np

from weightbridge.errors import OutputError
from weightbridge.formats.containers import Region, whole
from weightbridge.formats.hdf5.tree import Dataset
from weightbridge.model.tensors import Array, Tensor

Values = Iterable[tuple[Tensor, Array]]
Datasets = Mapping[str, Dataset]  # by the key of their tensor
CHUNK = 1 << 20


def patched_copy(region: Region, output: Path, values: Values, datasets: Datasets) -> None:
    """The region's bytes as a file of their own, with the values of the given tensors replaced."""
    try:
        copy_region(region, output)
    except OSError as error:
        raise OutputError(
            f"the file cannot be written: {error.strerror}",
            where=str(output),
            fix="Check space and permissions",
        ) from error
    patch(whole(output), values, datasets)


def copy_region(region: Region, output: Path) -> None:
    if region.start == 0 and region.size == region.path.stat().st_size:
        shutil.copyfile(region.path, output)
        return
    with region.path.open("rb") as source, output.open("wb") as target:
        source.seek(region.start)
        left = region.size
        while left:
            chunk = source.read(min(CHUNK, left))
            target.write(chunk)
            left -= len(chunk)


def patch(region: Region, values: Values, datasets: Datasets) -> None:
    """Replaces arrays in a file that is ours to change: the copy of the template, or a part of it."""
    with ExitStack() as stack:
        file = stack.enter_context(region.path.open("r+b", buffering=0))
        through_hdf5: h5py.File | None = None
        for tensor, array in values:
            dataset = datasets[tensor.key]
            assert array.shape == dataset.shape, f"{tensor.key}: {array.shape} instead of {dataset.shape}"
            if is_in_place(dataset):
                _put(file, region.start, dataset, array)
            elif dataset.nbytes:
                through_hdf5 = through_hdf5 or stack.enter_context(_open(region))
                _put_by_hdf5(through_hdf5, dataset, array)


def is_in_place(dataset: Dataset) -> bool:
    """Whether the array can be replaced without HDF5's help."""
    return dataset.offset is not None and dataset.stored == dataset.nbytes


def _put(file: IO[bytes], start: int, dataset: Dataset, array: Array) -> None:
    assert dataset.offset is not None
    file.seek(start + dataset.offset)
    exact = np.ascontiguousarray(array, dtype=dataset.dtype).reshape(-1).view(np.uint8)
    left = memoryview(exact.data)
    while left:  # an unbuffered file may take less than it is given
        left = left[file.write(left) :]


def _open(region: Region) -> h5py.File:
    assert region.start == 0, "only a file of its own can grow"
    return h5py.File(region.path, "r+")


def _put_by_hdf5(file: h5py.File, dataset: Dataset, array: Array) -> None:
    """Chunked or compressed arrays, or ones that were never written."""
    values = np.asarray(array, dtype=dataset.dtype)
    if dataset.dtype.name == "bfloat16":
        values = values.view(f"V{values.dtype.itemsize}")
    file[dataset.path][...] = values
