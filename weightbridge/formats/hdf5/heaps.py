"""Checks of HDF5's global heaps, where texts lie: the library can loop forever over a damaged one."""

import re
import struct
from collections.abc import Iterable, Iterator
from typing import IO

from weightbridge.errors import Corrupt
from weightbridge.formats.containers import Region

SIGNATURE = b"GCOL\x01\x00\x00\x00"
HEADER = 16  # of a heap: signature, version, size; of an object: number, references, size
CHUNK = 1 << 20
Run = tuple[int, int]


def check_heaps(region: Region, arrays: Iterable[Run]) -> None:
    """Looks at the heaps outside of the arrays' bytes.

    Raises Corrupt for one whose objects do not fill it.
    """
    with region.path.open("rb") as file:
        for start, end in _gaps(region, arrays):
            for place in _signatures(file, start, end):
                _check(file, place, region)


def _signatures(file: IO[bytes], start: int, end: int) -> Iterator[int]:
    """Where a heap may begin in a run of the file.

    The file is read, not mapped: a page that is touched brings fifteen others with it.
    """
    while end - start >= len(SIGNATURE):
        file.seek(start)
        data = file.read(min(CHUNK, end - start))
        for match in re.finditer(SIGNATURE, data):
            yield start + match.start()
        start += max(len(data) - len(SIGNATURE) + 1, 1)


def _gaps(region: Region, arrays: Iterable[Run]) -> Iterator[Run]:
    """The runs of the file between the arrays."""
    position = 0
    for start, end in sorted(arrays):
        if start > position:
            yield region.start + position, region.start + start
        position = max(position, end)
    if position < region.size:
        yield region.start + position, region.start + region.size


def _check(file: IO[bytes], place: int, region: Region) -> None:
    file.seek(place)
    size = int.from_bytes(file.read(HEADER)[8:], "little")
    if size < HEADER or place + size > region.start + region.size:
        raise _broken(region, place)
    position = HEADER
    while position + HEADER <= size:
        file.seek(place + position)
        number, _, _, length = struct.unpack("<HHIQ", file.read(HEADER))
        padded = (length + 7) // 8 * 8
        step = HEADER + padded if number else length  # object 0 is what is free, its header included
        if not HEADER <= step <= size - position:
            raise _broken(region, place)
        position += step


def _broken(region: Region, place: int) -> Corrupt:
    return Corrupt(
        f"the heap of texts at byte {place - region.start} is damaged",
        where=region.label,
        fix="Get the file again, or save the model again",
    )
