"""Copies of zip archives in which the arrays of one HDF5 member are replaced, and nothing else."""

import shutil
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from weightbridge.boundary.checksums import crc32
from weightbridge.errors import Corrupt, OutputError
from weightbridge.formats.containers import Region, archive, member_info, member_region, whole
from weightbridge.formats.hdf5.write import (
    Datasets,
    Runs,
    Values,
    checksum,
    copy_region,
    is_summed,
    patch,
    patched_copy,
)

CHUNK = 1 << 20
CRC_IN_LOCAL, CRC_IN_CENTRAL = 14, 16
CENTRAL_SIZE = 46
HAS_DESCRIPTOR, UTF8_NAMES = 0x08, 0x800


def patched_archive(
    template: Path, output: Path, member: str, values: Values, datasets: Datasets
) -> int | None:
    """The template with the given arrays replaced in `member`, in place where it is stored as it is.

    The checksum of the file then.
    """
    with archive(template) as opened:
        info = member_info(opened, member, str(template))
        region = member_region(template, opened, member)
        try:
            if _is_plain(info, datasets):
                copy_region(whole(template), output)
                copied = Region(output, region.start, region.size, f"{output}: {member}")
                own = checksum(region, patch(copied, values, datasets))
                changes = _renew_checksum(output, info, own, opened.start_dir)
                return checksum(whole(template), {(region.start, region.start + region.size): own, **changes})
            with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
                changed = Path(folder) / "changed.h5"
                patched_copy(region, changed, values, datasets)
                _rebuild(opened, output, info, changed)
                return None
        except OSError as error:
            raise _unwritten(output, error) from error


def is_summed_archive(template: Path, member: str, datasets: Datasets) -> bool:
    """Whether `patched_archive` tells a checksum."""
    with archive(template) as opened:
        return _is_plain(member_info(opened, member, str(template)), datasets)


def with_members(path: Path, contents: Mapping[str, bytes]) -> None:
    """The archive at a path with these members in place of those of their names, or added."""
    beside = path.with_name(f"{path.name}.words")
    try:
        with archive(path) as opened, zipfile.ZipFile(beside, "w") as target:
            for member in opened.infolist():
                if member.filename not in contents:
                    with opened.open(member) as source, target.open(_alike(member), "w") as file:
                        shutil.copyfileobj(source, file, CHUNK)
            for name, content in contents.items():
                target.writestr(zipfile.ZipInfo(name), content)
        beside.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def _unwritten(output: Path, error: OSError) -> OutputError:
    message = f"the file cannot be written: {error.strerror}"
    return OutputError(message, where=str(output), fix="Check space and permissions")


def _is_plain(info: zipfile.ZipInfo, datasets: Datasets) -> bool:
    """Whether no size changes, so that a new checksum is all that the archive needs."""
    is_stored = info.compress_type == zipfile.ZIP_STORED
    has_descriptor = bool(info.flag_bits & HAS_DESCRIPTOR)
    return is_stored and not has_descriptor and is_summed(datasets)


def _renew_checksum(output: Path, info: zipfile.ZipInfo, checksum: int, directory: int) -> Runs:
    """The runs of the archive that it stands in."""
    stored = checksum.to_bytes(4, "little")
    with output.open("r+b") as file:
        places = info.header_offset + CRC_IN_LOCAL, _entry(file, directory, info) + CRC_IN_CENTRAL
        for place in places:
            file.seek(place)
            file.write(stored)
    return {(place, place + len(stored)): crc32(stored) for place in places}


def _entry(file: IO[bytes], position: int, info: zipfile.ZipInfo) -> int:
    """Where the central directory's entry of a member begins."""
    name = info.orig_filename.encode("utf8" if info.flag_bits & UTF8_NAMES else "cp437")
    while True:
        file.seek(position)
        header = file.read(CENTRAL_SIZE)
        if len(header) < CENTRAL_SIZE or header[:4] != b"PK\x01\x02":
            raise Corrupt(
                "the archive's directory does not list the member that was just read",
                where=info.filename,
                fix="Get the file again",
            )
        lengths = struct.unpack("<HHH", header[28:34])
        if file.read(lengths[0]) == name:
            return position
        position += CENTRAL_SIZE + sum(lengths)


def _rebuild(opened: zipfile.ZipFile, output: Path, info: zipfile.ZipInfo, changed: Path) -> None:
    """A new archive with members in the old order and compression, and a file in place of one of them."""
    with zipfile.ZipFile(output, "w") as target:
        for member in opened.infolist():
            is_changed = member is info
            copy = _alike(member)
            copy.file_size = changed.stat().st_size if is_changed else member.file_size
            source = changed.open("rb") if is_changed else opened.open(member)
            with source, target.open(copy, "w") as file:
                shutil.copyfileobj(source, file, CHUNK)


def _alike(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """An entry for a copy of a member."""
    copy = zipfile.ZipInfo(member.filename, member.date_time)
    copy.compress_type = member.compress_type
    copy.external_attr = member.external_attr
    copy.comment = member.comment
    copy.file_size = member.file_size
    return copy
