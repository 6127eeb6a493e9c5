"""CRC-32 of parts put together."""

from zlib import crc32

import pytest

from weightbridge.boundary.checksums import combined

DATA = bytes(range(256)) * 40


@pytest.mark.parametrize("cut", [0, 1, 255, 4096, len(DATA) - 1, len(DATA)])
def test_it_is_that_of_the_whole(cut: int) -> None:
    first, second = DATA[:cut], DATA[cut:]
    assert combined(crc32(first), crc32(second), len(second)) == crc32(DATA)


def test_the_order_counts() -> None:
    first, second = DATA[:100], DATA[100:]
    assert combined(crc32(second), crc32(first), len(first)) != crc32(DATA)
