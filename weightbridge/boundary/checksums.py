"""CRC-32 of what is made of parts, from those of the parts."""

from functools import cache
from zlib import crc32

POLYNOMIAL = 0xEDB88320  # of zip's and zlib's CRC-32, the lowest power first
ONE = 1 << 31  # x to the power of 0

__all__ = ["combined", "crc32"]


def combined(first: int, second: int, length: int) -> int:
    """The CRC-32 of two runs of bytes, one behind the other; length: of the second.

    (first * x^(8 * length) + second) modulo the polynomial, as zlib's crc32_combine.
    """
    return _product(_power(length), first) ^ second


@cache
def _power(length: int) -> int:
    """x^(8 * length) modulo the polynomial."""
    result = ONE
    for bit in range(length.bit_length()):
        if length >> bit & 1:
            result = _product(_square(bit), result)
    return result


@cache
def _square(times: int) -> int:
    """x^8, squared so many times."""
    if not times:
        return ONE >> 8
    factor = _square(times - 1)
    return _product(factor, factor)


def _product(a: int, b: int) -> int:
    result = 0
    while a:
        if a & ONE:
            result ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ POLYNOMIAL if b & 1 else b >> 1
    return result
