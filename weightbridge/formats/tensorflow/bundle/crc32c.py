"""CRC-32C (Castagnoli), masked as in TensorFlow and LevelDB: lanes side by side, then joined."""

from functools import cache

import numpy as np

from weightbridge.model.tensors import Array

POLYNOMIAL = 0x82F63B78  # Castagnoli's, with the bits reversed
MASK_DELTA = 0xA282EAD8  # leveldb/util/crc32c.h
ALL = 0xFFFFFFFF
LANES = ((1 << 16, 32), (1 << 22, 256))  # up to so many bytes at once, in lanes of so many: powers of two
BLOCK = 1 << 22


def masked_crc32c(data: bytes | memoryview | Array) -> int:
    """The checksum of some bytes, rotated and shifted as both store it."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & ALL


def crc32c(data: bytes | memoryview | Array) -> int:
    """The plain checksum."""
    raw = np.frombuffer(data, np.uint8)
    crc: Array = np.array([ALL], np.uint32)
    for start in range(0, raw.size, BLOCK):
        block = raw[start : start + BLOCK]
        crc = _over_zeros(crc, block.size) ^ _linear(block)
    return int(crc[0]) ^ ALL


def _linear(block: Array) -> Array:
    """The register after a block, from zero.

    Zeros in front change nothing, so the block is filled up to whole lanes.
    """
    length = next(lane for size, lane in LANES if block.size <= size)
    used_lanes = -(-block.size // length)
    lanes = 1 << max(used_lanes - 1, 0).bit_length()
    filled = np.zeros(lanes * length, np.uint8)
    filled[filled.size - block.size :] = block
    words = np.ascontiguousarray(filled.view("<u4").reshape(lanes, -1).T)
    crc = np.zeros(lanes, np.uint32)
    tables = _operator(4)
    for word in words:
        crc = _applied(tables, crc ^ word)
    return _joined(crc, length)


def _joined(crc: Array, length: int) -> Array:
    """The register over all lanes, which have `length` bytes each."""
    while crc.size > 1:
        crc = _applied(_operator(length), crc[::2]) ^ crc[1::2]
        length *= 2
    return crc


def _over_zeros(crc: Array, count: int) -> Array:
    """The register after `count` more bytes of zero."""
    for bit in range(count.bit_length()):
        if count >> bit & 1:
            crc = _applied(_operator(1 << bit), crc)
    return crc


def _applied(tables: Array, crc: Array) -> Array:
    """What an operator makes of registers, byte by byte of each."""
    first = tables[0][crc & 0xFF]
    second = tables[1][crc >> 8 & 0xFF]
    third = tables[2][crc >> 16 & 0xFF]
    fourth = tables[3][crc >> 24]
    register: Array = first ^ second ^ third ^ fourth
    return register


@cache
def _operator(count: int) -> Array:
    """Four tables that take a register over `count` bytes of zero, a power of two: (4, 256)."""
    if count > 1:
        half = _operator(count // 2)
        return np.stack([_applied(half, row) for row in half])
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        divided = crc >> 1 ^ np.uint32(POLYNOMIAL)
        crc = np.where(crc & 1, divided, crc >> 1).astype(np.uint32)
    shifted = np.arange(256, dtype=np.uint32)
    return np.stack([crc, shifted, shifted << 8, shifted << 16])
