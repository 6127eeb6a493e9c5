"""A `.keras` file with all weights in their places and none of their values yet."""

import json
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from weightbridge.boundary.files import SparseFile, copy_sparsely
from weightbridge.formats.hdf5.write import written_to
from weightbridge.formats.keras.emit.places import Place
from weightbridge.formats.keras.zip import CONFIG, METADATA, WEIGHTS

NARROW = "bfloat16"
VERSION = "3.0.0"  # of Keras: the first one that reads such a file


def write_skeleton(path: Path, config: Any, places: Iterable[Place]) -> None:
    """The same configuration gives the same bytes. Raises OutputError where the file cannot be written."""
    with written_to(path), tempfile.TemporaryDirectory(prefix="weightbridge-", dir=path.parent) as folder:
        weights = Path(folder) / WEIGHTS
        _write_weights(weights, places)
        with SparseFile(path) as sparse, zipfile.ZipFile(sparse, "w") as archive:
            archive.writestr(_member(METADATA), json.dumps({"keras_version": VERSION}))
            archive.writestr(_member(CONFIG), json.dumps(config))
            with archive.open(_sized(weights), "w") as member:
                copy_sparsely(weights, 0, weights.stat().st_size, member)


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)


def _sized(weights: Path) -> zipfile.ZipInfo:
    """Known before it is written, so that no descriptor has to follow it."""
    member = _member(WEIGHTS)
    member.file_size = weights.stat().st_size
    return member


def _write_weights(path: Path, places: Iterable[Place]) -> None:
    with h5py.File(path, "w") as file:
        for place in places:
            allocate(file, place.path, place)
            if place.dtype == NARROW:
                file[place.path].attrs["dtype"] = NARROW  # HDF5 has no such number: Keras goes by the note
            file[place.path.rsplit("/", 1)[0]].attrs["name"] = place.group


def allocate(file: h5py.File, path: str, place: Place) -> None:
    """An array in one piece, whose place in the file is settled at once."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_ALLOC if place.fill else h5py.h5d.FILL_TIME_NEVER)
    if place.fill:
        plist.set_fill_value(np.array(place.fill, np.dtype(place.dtype)))
    plist.set_obj_track_times(False)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    kind = h5py.h5t.py_create(np.dtype(place.dtype))
    space = h5py.h5s.create_simple(place.shape) if place.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.h5d.create(file.id, path.encode(), kind, space, plist, links)
