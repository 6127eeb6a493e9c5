"""What a file is, by its content: signatures first, then the structure inside a container."""

import mmap
import os
import stat
import struct
import time
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from weightbridge.errors import Corrupt, MissingFile, Unsupported
from weightbridge.formats.opening import readable
from weightbridge.formats.sniffing.folders import folder_format, is_checkpoint, model_in
from weightbridge.formats.sniffing.hdf5 import hdf5_format
from weightbridge.formats.sniffing.tensorflow import is_frozen_graph
from weightbridge.formats.sniffing.text import text_format
from weightbridge.formats.sniffing.unknown import refusal
from weightbridge.formats.wire import LENGTH, VARINT, Buffer, Span, fields

HDF5_OFFSETS = (0, 512, 1024, 2048, 4096, 8192)  # a user block may stand before the signature
TORCH_LEGACY = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, pickled
LEVELDB_TABLE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # the last bytes of a TensorFlow checkpoint's index
MODEL_PROTO: dict[int, int] = {1: VARINT, 5: VARINT} | dict.fromkeys(
    (2, 3, 4, 6, 7, 8, 14, 20, 25, 26), LENGTH
)
SAVED_MODEL: dict[int, int] = {1: VARINT, 2: LENGTH}
VERSION = 1  # its field in both
CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f")  # bytes that no text has
SETTLED = 2_000_000_000  # nanoseconds; file systems count time in steps of up to two seconds
BROKEN_ZIP = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    struct.error,
    UnicodeDecodeError,
    EOFError,
)


def sniff(path: Path) -> str:
    """The format's name as in CONTRACT.md.

    Raises MissingFile, Corrupt, UnsafeContent or Unsupported where there is none.
    """
    if is_checkpoint(path):
        return "tf-checkpoint"
    with readable(path):
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            inside = model_in(path)
            return folder_format(path) if inside is None else sniff(inside.file)
        if not stat.S_ISREG(status.st_mode):
            raise MissingFile(
                "this is no regular file", where=str(path), fix="Give the path of a model's file"
            )
        return _file_format(path, status)


def _file_format(path: Path, status: os.stat_result) -> str:
    """The format of a file, which is looked at once as long as it stays as it is.

    A file that was written just now may be written again without a new time, so it is looked at anew.
    """
    if time.time_ns() - status.st_mtime_ns < SETTLED:
        return _read_format(path)
    return _known_format(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(64)
def _known_format(path: Path, state: tuple[int, ...]) -> str:
    return _read_format(path)


def _read_format(path: Path) -> str:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            raise Corrupt("the file is empty: 0 bytes", where=str(path), fix="Copy or download it again")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _format(path, data)


def _format(path: Path, data: Buffer) -> str:
    start = bytes(data[:4096])
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_format(path)
    if any(data[offset : offset + 8] == b"\x89HDF\r\n\x1a\n" for offset in HDF5_OFFSETS):
        return hdf5_format(path)
    if start[4:8] == b"TFL3":
        return "tflite"
    if TORCH_LEGACY in start[:32]:
        return "torch-legacy"
    if _is_text(start):
        return text_format(path, data)
    return _binary_format(path, data)


def _binary_format(path: Path, data: Buffer) -> str:
    """The formats without a signature at their beginning."""
    if _is_safetensors(bytes(data[:10]), len(data)):
        return "safetensors"
    if data[-8:] == LEVELDB_TABLE:
        return "tf-checkpoint"
    if _holds(MODEL_PROTO, {7, 8}, data):
        return "onnx"
    if _holds(SAVED_MODEL, {2}, data):
        return "saved-model"
    if is_frozen_graph(data):
        return "tf-graph"
    raise refusal(path, data)


def _is_text(start: bytes) -> bool:
    """JSON, XML or a pointer; a safetensors length may begin with the same byte, and has zeros after it."""
    opening = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    is_pointer = start.startswith(b"version https://git-lfs")
    if opening == b"<" and not CONTROLS.isdisjoint(start[:256]):  # a field of 60 bytes begins with the same
        return False
    return b"\0" not in start[:8] and (is_pointer or opening in (b"{", b"[", b'"', b"<"))


def _zip_format(path: Path) -> str:
    names = _zip_members(path)
    if "config.json" in names or any(name.startswith("model.weights.") for name in names):
        return "keras-zip"
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "torch-zip"
    if names and all(name.endswith(".npy") for name in names):
        raise Unsupported(
            "numpy arrays (.npz) and no model",
            where=str(path),
            fix="Give the model itself, or save the arrays as safetensors",
        )
    members = ", ".join(map(repr, names[:5])) or "nothing"
    raise Unsupported(
        f"a zip archive of {members}, which is no model that weightbridge knows",
        where=str(path),
        fix="Unpack it and give the model in it",
    )


def _zip_members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except BROKEN_ZIP as error:
        raise Corrupt(
            f"a zip archive that cannot be opened: {error}",
            where=str(path),
            fix="It may be truncated: copy or download it again",
        ) from error


def _is_safetensors(start: bytes, size: int) -> bool:
    """A length, then a JSON object; a header longer than the file is for the reader to refuse."""
    length = int.from_bytes(start[:8], "little")
    begins_object = start[9:10] in (b'"', b"}", b" ")
    return size > 8 and start[8:9] == b"{" and (length <= size or begins_object)


def _holds(known: Mapping[int, int], needed: set[int], data: Buffer) -> bool:
    """Whether the bytes are a message with known fields alone, a version and one of `needed`.

    Protobuf has no signature: all fields up to the first broken one are looked at.
    """
    seen: set[int] = set()
    try:
        for field in fields(data, Span(0, len(data))):
            if known.get(field.number) != field.wire:
                return False
            seen.add(field.number)
    except Corrupt:  # cut off or damaged further down: its reader says where
        return VERSION in seen
    return VERSION in seen and bool(seen & needed)
