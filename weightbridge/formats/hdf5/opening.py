"""HDF5 files opened for reading, whole or inside another file; errors of the library become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import h5py

from weightbridge.errors import Corrupt, WeightbridgeError
from weightbridge.formats.containers import Region, RegionReader


@contextmanager
def opened(region: Region) -> Iterator[h5py.File]:
    """The file at a region, open for reading; whatever HDF5 finds wrong becomes one of our errors."""
    is_whole = region.start == 0 and region.size == region.path.stat().st_size
    is_own_file = is_whole or region.keep is not None
    reader = None if is_own_file else RegionReader(region)
    with hdf5_errors(region.label):
        try:
            with h5py.File(reader if reader else region.path, "r") as file:
                yield file
        finally:
            if reader:
                reader.close()


@contextmanager
def hdf5_errors(where: str) -> Iterator[None]:
    """Turns what h5py raises (any exception it likes: it is C underneath) into Corrupt."""
    try:
        yield
    except (WeightbridgeError, AssertionError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # OSError, KeyError, RuntimeError, ValueError, TypeError, ... for a broken file
        raise Corrupt(
            f"the HDF5 structure is broken: {error}",
            where=where,
            fix="Get the file again, or save the model again",
        ) from error
