"""Copies of HDF5 files with other values in some arrays: same headers, one array in memory at a time."""

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import h5py
import numpy as np

from weightbridge.boundary.checksums import combined, crc32
from weightbridge.boundary.files import SparseFile, copy_sparsely
from weightbridge.errors import OutputError
from weightbridge.formats.containers import Region, whole
from weightbridge.formats.hdf5.tree import Dataset
from weightbridge.formats.streamed import Value, pieces_of, whole_of
from weightbridge.model.tensors import Array, Tensor

Values = Iterable[tuple[Tensor, Value]]
Datasets = Mapping[str, Dataset]  # by the key of their tensor
Runs = Mapping[tuple[int, int], int]  # the CRC-32 of what was written, by where it begins and ends
CHUNK = 1 << 18


def patched_copy(region: Region, output: Path, values: Values, datasets: Datasets) -> int | None:
    """The region's bytes as a file of their own, with the values of the given tensors replaced.

    The checksum of all that was written, where `is_summed`.
    """
    with written_to(output):
        copy_region(region, output)
    runs = patch(whole(output), values, datasets)
    return checksum(region, runs) if is_summed(datasets) else None


def is_summed(datasets: Datasets) -> bool:
    """Whether every byte is written by ourselves, and none by HDF5."""
    return all(is_in_place(dataset) or not dataset.nbytes for dataset in datasets.values())


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """What the system says of a file that cannot be written, by HDF5 or without it, as OutputError.

    HDF5 says it as a RuntimeError where it closes the file.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        message, fix = f"the file cannot be written: {_reason(error)}", "Check space and permissions"
        raise OutputError(message, where=str(path), fix=fix) from error


def _reason(error: OSError | RuntimeError) -> str:
    """HDF5 puts the system's number into a longer text."""
    number = re.search(r"errno = (\d+)", str(error))
    if number is not None:
        return os.strerror(int(number[1]))
    return str(getattr(error, "strerror", None) or error)


def copy_region(region: Region, output: Path) -> None:
    with SparseFile(output) as target:
        copy_sparsely(region.path, region.start, region.start + region.size, target)


def patch(region: Region, values: Values, datasets: Datasets) -> Runs:
    """Replaces arrays in a file that is ours to change: the copy of the template, or a part of it.

    The runs of the region that were written in place.
    """
    runs: dict[tuple[int, int], int] = {}
    with ExitStack() as stack:
        file = stack.enter_context(region.path.open("r+b", buffering=0))
        through_hdf5: h5py.File | None = None
        for tensor, value in values:
            dataset = datasets[tensor.key]
            assert value.shape == dataset.shape, f"{tensor.key}: {value.shape} instead of {dataset.shape}"
            if dataset.offset is not None and is_in_place(dataset):
                start, end = dataset.offset, dataset.offset + dataset.nbytes
                runs[start, end] = _put(file, region.start + start, pieces_of(value, dataset.dtype))
            elif dataset.nbytes:
                through_hdf5 = through_hdf5 or stack.enter_context(_open(region))
                with written_to(region.path):
                    _put_by_hdf5(through_hdf5, dataset, whole_of(value))
    return runs


def checksum(region: Region, runs: Runs) -> int:
    """The CRC-32 of the region's bytes with others in these runs."""
    total, position = 0, 0
    with region.path.open("rb", buffering=0) as file:
        for (start, end), own in sorted(runs.items()):
            total = _summed_to(start, file, region, position, total)
            total, position = combined(total, own, end - start), end
        return _summed_to(region.size, file, region, position, total)


def _summed_to(end: int, file: io.FileIO, region: Region, position: int, total: int) -> int:
    """With the region's own bytes up to there."""
    file.seek(region.start + position)
    while position < end:
        data = file.read(min(CHUNK, end - position))
        if not data:
            raise OutputError("the file has become shorter", where=region.label, fix="Run it again")
        total, position = crc32(data, total), position + len(data)
    return total


def is_in_place(dataset: Dataset) -> bool:
    """Whether the array can be replaced without HDF5's help."""
    return dataset.offset is not None and dataset.stored == dataset.nbytes


def _put(file: IO[bytes], start: int, pieces: Iterable[memoryview]) -> int:
    """The CRC-32 of the bytes, which are summed up while they are near the processor."""
    file.seek(start)
    total = 0
    for piece in pieces:
        left = piece
        total = crc32(left, total)
        while left:  # an unbuffered file may take less than it is given
            left = left[file.write(left) :]
    return total


@contextmanager
def _open(region: Region) -> Iterator[h5py.File]:
    assert region.start == 0, "only a file of its own can grow"
    file = h5py.File(region.path, "r+")
    try:
        yield file
    finally:
        with written_to(region.path):
            file.close()


def _put_by_hdf5(file: h5py.File, dataset: Dataset, array: Array) -> None:
    """Chunked or compressed arrays, or ones that were never written."""
    values = np.asarray(array, dtype=dataset.dtype)
    if dataset.dtype.name == "bfloat16":
        values = values.view(f"V{values.dtype.itemsize}")
    file[dataset.path][...] = values
