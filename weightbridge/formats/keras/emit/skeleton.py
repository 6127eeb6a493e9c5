"""A `.keras` file with all weights in their places and none of their values yet."""

import json
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from weightbridge.boundary.files import SparseFile, copy_sparsely, sparse_checksum
from weightbridge.formats.containers import Region
from weightbridge.formats.hdf5.tree import Group
from weightbridge.formats.hdf5.write import written_to
from weightbridge.formats.keras.emit.places import Place
from weightbridge.formats.keras.emit.tree import Allocated, names_of, tree_of
from weightbridge.formats.keras.zip import CONFIG, METADATA, WEIGHTS

NARROW = "bfloat16"
TEXT = h5py.string_dtype()
VERSION = "3.0.0"  # of Keras: the first one that reads such a file


def write_skeleton(path: Path, config: str, places: Iterable[Place]) -> Group:
    """The same configuration gives the same bytes. Raises OutputError where the file cannot be written.

    config: as a text of JSON. The tree of the weights as reading the file would tell it.
    """
    with written_to(path), tempfile.TemporaryDirectory(prefix="weightbridge-", dir=path.parent) as folder:
        weights = Path(folder) / WEIGHTS
        arrays = _write_weights(weights, places)
        with SparseFile(path) as sparse, zipfile.ZipFile(sparse, "w") as archive:
            archive.writestr(_member(METADATA), json.dumps({"keras_version": VERSION}))
            archive.writestr(_member(CONFIG), config)
            region = _append(archive, sparse, weights, path)
    return tree_of(arrays, region)


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)


def _append(archive: zipfile.ZipFile, file: SparseFile, weights: Path, path: Path) -> Region:
    """As `archive.write` does, whose checksum would have to read all that is a hole.

    Where they lie then in the file at the path.
    """
    size = weights.stat().st_size
    member = _member(WEIGHTS)
    member.file_size = member.compress_size = size
    member.CRC, member.header_offset = sparse_checksum(weights), file.tell()
    file.write(member.FileHeader())
    start = file.tell()
    copy_sparsely(weights, 0, size, file)
    archive.filelist.append(member)
    archive.NameToInfo[member.filename] = member
    archive.start_dir = file.tell()
    return Region(path, start, size, f"{path}: {WEIGHTS}")


def _write_weights(path: Path, places: Iterable[Place]) -> list[Allocated]:
    arrays = []
    with h5py.File(path, "w") as file:
        for place in places:
            arrays.append(allocate(file, place.path, place))
            if place.dtype == NARROW:
                file[place.path].attrs["dtype"] = NARROW  # HDF5 has no such number: Keras goes by the note
        for group, name in names_of(arrays).items():
            _name(file, group, name)
    return arrays


def _name(file: h5py.File, group: str, name: str) -> None:
    """`file[group].attrs["name"] = name`, of which most models have hundreds."""
    opened = h5py.h5g.open(file.id, group.encode())
    space, kind = h5py.h5s.create(h5py.h5s.SCALAR), h5py.h5t.py_create(TEXT, logical=True)
    h5py.h5a.create(opened, b"name", kind, space).write(np.array(name, TEXT))


def allocate(file: h5py.File, path: str, place: Place) -> Allocated:
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
    created = h5py.h5d.create(file.id, path.encode(), kind, space, plist, links)
    return Allocated(place, created.get_offset(), created.get_storage_size())
