"""Regions of files and of zip members, which are unpacked only where they are deflated."""

import io
import lzma
import os
import shutil
import struct
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt, MissingFile, ResourceBomb, WeightbridgeError

BOMB_FLOOR = 64 << 20
BOMB_RATIO = 200
_LOCAL_HEADER = 30
_BROKEN = (  # what zipfile raises over a damaged archive
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
CHUNK = 1 << 20  # a member is unpacked by so many bytes, whatever size it declares


@dataclass(frozen=True, slots=True)
class Region:
    """A run of bytes in a file: all of it, or a member of an archive. `label` is what messages call it."""

    path: Path
    start: int
    size: int
    label: str
    keep: object = None  # whatever must live as long as the bytes are wanted


class RegionReader(io.RawIOBase):
    """A read-only view of a region, for libraries that want a file object."""

    def __init__(self, region: Region) -> None:
        self._file: IO[bytes] = region.path.open("rb", buffering=0)
        self._start, self._size, self._position = region.start, region.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(self._size - self._position, 0))
        if not wanted:
            return 0
        self._file.seek(self._start + self._position)
        view = memoryview(buffer)[:wanted]
        count: int = self._file.readinto(view)  # type: ignore[attr-defined]  # a raw file has it
        self._position += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def whole(path: Path) -> Region:
    """The region that is the file itself."""
    try:
        return Region(path, 0, path.stat().st_size, str(path))
    except OSError as error:
        raise MissingFile(
            "the file cannot be read",
            where=str(path),
            fix=f"Check the path and its permissions ({error.strerror})",
        ) from error


@contextmanager
def archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An open zip archive; whatever zipfile finds wrong becomes one of our errors."""
    try:
        with zipfile.ZipFile(path) as opened:
            yield opened
    except WeightbridgeError:
        raise
    except FileNotFoundError as error:
        raise MissingFile("there is no such file", where=str(path), fix="Check the path") from error
    except _BROKEN as error:
        raise Corrupt(
            f"the zip archive is broken: {error}",
            where=str(path),
            fix="Get the file again, or save the model again",
        ) from error


def check_sums(path: Path) -> None:
    """Raises Corrupt where a member's bytes are not those that its checksum was made of.

    Reads the whole archive.
    """
    with archive(path) as opened:
        damaged = opened.testzip()
    if damaged:
        raise Corrupt(
            "the bytes are not those that were saved: the checksum differs",
            where=f"{path}: {damaged}",
            fix="Get the file again",
        )


def read_member(opened: zipfile.ZipFile, name: str, where: str) -> bytes:
    """A small member's bytes."""
    info = member_info(opened, name, where)
    refuse_bomb(info, where)
    with opened.open(info) as member:
        content = b"".join(iter(lambda: member.read(CHUNK), b""))
    if len(content) != info.file_size:
        raise _wrong_size(info, len(content), f"{where}: {name}")
    return content


def _wrong_size(info: zipfile.ZipInfo, held: int, where: str) -> Corrupt:
    message = f"the member declares {info.file_size} bytes and holds {held}"
    return Corrupt(message, where=where, fix="Get the file again")


def member_info(opened: zipfile.ZipFile, name: str, where: str) -> zipfile.ZipInfo:
    """The one member of a name. Raises Corrupt."""
    infos = [info for info in opened.infolist() if info.filename == name]
    if not infos:
        raise Corrupt(f"the archive has no member {name}", where=where, fix="Save the model again")
    if len(infos) > 1:
        raise Corrupt(
            f"the archive has {len(infos)} members called {name}", where=where, fix="Save the model again"
        )
    return infos[0]


def refuse_bomb(info: zipfile.ZipInfo, where: str) -> None:
    if info.file_size > BOMB_FLOOR and info.file_size > BOMB_RATIO * max(info.compress_size, 1):
        raise ResourceBomb(
            f"the member expands to {info.file_size} bytes from {info.compress_size}",
            where=f"{where}: {info.filename}",
            fix="Do not open it unless you trust where it comes from",
        )


def member_region(path: Path, opened: zipfile.ZipFile, name: str) -> Region:
    """Where a member's bytes lie: in the archive, or in a temporary file that goes with the region."""
    info = member_info(opened, name, str(path))
    refuse_bomb(info, str(path))
    label = f"{path}: {name}"
    if info.compress_type == zipfile.ZIP_STORED:
        return _stored_region(path, info, label)
    return _spilled(opened, info, label)


def found_region(path: Path, info: zipfile.ZipInfo) -> Region:
    """The same for a member that was found before; the archive is opened again only for a deflated one."""
    label = f"{path}: {info.filename}"
    if info.compress_type == zipfile.ZIP_STORED:
        return _stored_region(path, info, label)
    with archive(path) as opened:
        return _spilled(opened, info, label)


def _stored_region(path: Path, info: zipfile.ZipInfo, label: str) -> Region:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise Corrupt("the member's local header is malformed", where=label, fix="Get the file again")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    start = info.header_offset + _LOCAL_HEADER + name_length + extra_length
    reaches_beyond = start + info.file_size > path.stat().st_size
    is_encrypted = bool(info.flag_bits & 1)
    if reaches_beyond or is_encrypted or info.file_size != info.compress_size:
        raise Corrupt(
            "the member reaches beyond the end of the archive, or is encrypted",
            where=label,
            fix="Get the file again",
        )
    return Region(path, start, info.file_size, label)


def _spilled(opened: zipfile.ZipFile, info: zipfile.ZipInfo, label: str) -> Region:
    handle, name = tempfile.mkstemp(prefix="Weightbridge-", suffix=".h5")
    keep = _Keep()
    weakref.finalize(keep, Path(name).unlink, missing_ok=True)
    with os.fdopen(handle, "wb") as file, opened.open(info) as member:
        shutil.copyfileobj(member, file, CHUNK)
    size = Path(name).stat().st_size
    if size != info.file_size:
        raise _wrong_size(info, size, label)
    return Region(Path(name), 0, size, label, keep)


class _Keep:
    """Something to hang the removal of a temporary file on."""
