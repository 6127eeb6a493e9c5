"""Values of a tensor bundle: read from the data files, compared with their checksums, parts joined."""

import numpy as np

from weightbridge.errors import Corrupt, MissingFile, Unsupported
from weightbridge.formats.tensorflow.bundle.crc32c import masked_crc32c
from weightbridge.formats.tensorflow.bundle.entries import DAMAGED, STRING, Entry
from weightbridge.formats.tensorflow.bundle.parts import place_of
from weightbridge.formats.tensorflow.bundle.read import Bundle
from weightbridge.formats.tensorflow.bundle.slices import slice_key
from weightbridge.formats.wire import varint
from weightbridge.model.tensors import Array, dtype_of

CHECKSUM = 4  # bytes


def load(bundle: Bundle, key: str) -> Array:
    """A tensor's values, whose checksum must be what the index says; a partitioned one is joined."""
    entry = bundle.entries[key]
    return _joined(bundle, key, entry) if entry.slices else _loaded(bundle, key, entry)


def load_text(bundle: Bundle, key: str) -> bytes:
    """The bytes of a tensor that is a single string: its length, a checksum of that, the bytes."""
    entry = bundle.entries[key]
    data = _bytes(bundle, key, entry).tobytes()
    length, position = varint(data, 0, len(data))
    start = position + CHECKSUM
    if entry.shape or entry.dtype != STRING or start + length != len(data):
        raise Corrupt("no single text, or one that is cut off", where=f"{bundle.prefix}: {key}", fix=DAMAGED)
    return data[start:]


def _joined(bundle: Bundle, key: str, entry: Entry) -> Array:
    whole = np.empty(entry.shape, dtype_of(entry.dtype))
    for extents in entry.slices:
        place = place_of(entry, extents, bundle.where(key))
        part = bundle.parts[slice_key(key, extents)]
        whole[place.slices] = _loaded(bundle, key, part)
    return whole


def _loaded(bundle: Bundle, key: str, entry: Entry) -> Array:
    if entry.dtype in ("", STRING):
        raise Unsupported(
            "a tensor that holds no numbers", where=f"{bundle.prefix}: {key}", fix="Leave it out"
        )
    dtype = dtype_of(entry.dtype)
    stored = dtype.newbyteorder(">" if bundle.is_big_endian else "<")
    values = _bytes(bundle, key, entry).view(stored)
    return values.astype(dtype, copy=False).reshape(entry.shape)


def _bytes(bundle: Bundle, key: str, entry: Entry) -> Array:
    path = bundle.file(entry.shard)
    try:
        data: Array = np.fromfile(path, np.uint8, entry.size, offset=entry.offset)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(path), fix="Check its permissions"
        ) from error
    where = f"{path}: {key}"
    if data.size != entry.size:
        raise Corrupt(f"{entry.size} bytes expected, {data.size} found", where=where, fix=DAMAGED)
    if entry.dtype != STRING and masked_crc32c(data) != entry.crc:
        raise Corrupt("its checksum differs from what the index says", where=where, fix=DAMAGED)
    return data
