"""Global heaps, where HDF5 keeps texts of variable length: checked by us first, for the library can loop forever over a damaged one."""

import mmap
import struct
from collections.abc import Iterable

from weightbridge.errors import Corrupt
from weightbridge.formats.containers import Region

SIGNATURE = b"GCOL\x01\x00\x00\x00"
HEADER = 16  # of a heap: signature, version, size; of an object: number, references, size
Run = tuple[int, int]


def check_heaps(region: Region, arrays: Iterable[Run]) -> None:
    """Looks at the heaps outside of the arrays' bytes. Raises Corrupt for one whose objects do not fill it."""
    with region.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for start, end in _gaps(region, arrays):
            place = data.find(SIGNATURE, start, end)
            while place >= 0:
                _check(data, place, region)
                place = data.find(SIGNATURE, place + HEADER, end)


def _gaps(region: Region, arrays: Iterable[Run]) -> Iterable[Run]:
    """The runs of the file between the arrays."""
    position = 0
    for start, end in sorted(arrays):
        if start > position:
            yield region.start + position, region.start + start
        position = max(position, end)
    if position < region.size:
        yield region.start + position, region.start + region.size


def _check(data: mmap.mmap, place: int, region: Region) -> None:
    (size,) = struct.unpack_from("<Q", data, place + 8)
    if size < HEADER or place + size > region.start + region.size:
        raise _broken(region, place)
    position = HEADER
    while position + HEADER <= size:
        number, _, _, length = struct.unpack_from("<HHIQ", data, place + position)
        step = HEADER + (length + 7) // 8 * 8 if number else length  # object 0 is what is free, its header included
        if not HEADER <= step <= size - position:
            raise _broken(region, place)
        position += step


def _broken(region: Region, place: int) -> Corrupt:
    return Corrupt(
        f"the heap of texts at byte {place - region.start} is damaged",
        where=region.label,
        fix="Get the file again, or save the model again",
    )
