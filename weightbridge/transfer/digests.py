"""What is remembered of every value that is written, which tells whether it stands there afterwards."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from weightbridge.boundary.checksums import crc32
from weightbridge.errors import OutputError
from weightbridge.formats.streamed import Pieces, Streamed, Value, as_stored, pieces_of, through
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor, name_of

Digests = dict[str, bytes]


class Hasher(Protocol):
    """As hashlib's."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc:
    """A CRC-32, for digests that nobody else reads."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "little")


Kind = Callable[[], Hasher]
SHA256: Kind = hashlib.sha256


def digested(
    pairs: Iterable[tuple[Tensor, Value]], digests: Digests, kind: Kind = SHA256
) -> Iterator[tuple[Tensor, Value]]:
    """The same pairs; on their way each value's digest goes into `digests` by the tensor's name."""
    for tensor, value in pairs:
        if isinstance(value, Streamed):
            yield tensor, _noting(value, tensor.name, digests, kind)
        else:
            digests[tensor.name] = digest_of(value, kind)
            yield tensor, value


def _noting(value: Streamed, name: str, digests: Digests, kind: Kind) -> Streamed:
    """Its digest is known when all of it has gone by."""

    def noted(pieces: Pieces) -> Pieces:
        hasher = _begun(value, kind)
        for piece in pieces:
            hasher.update(piece)
            yield piece
        digests[name] = hasher.digest()

    return through(value, noted)


def named(pairs: Iterable[tuple[Tensor, Value]], digests: Digests) -> Iterator[tuple[Tensor, Value]]:
    """The same pairs, counted: nobody asks for their digests."""
    for tensor, value in pairs:
        digests[tensor.name] = b""
        yield tensor, value


def read_back(written: LayerGraph, digests: Mapping[str, bytes], kind: Kind = SHA256) -> None:
    """Raises OutputError unless the file or live model holds every tensor that was written, byte for byte."""
    stored = written.tensor_by_name
    wrong = [name for name, digest in digests.items() if not _is_stored(stored.get(name), digest, kind)]
    if wrong:
        message = f"{wrong[0]}: what was read back is not what was written ({len(wrong)} tensors)"
        raise OutputError(message, where=written.path, fix="check the disk")


def _is_stored(tensor: Tensor | None, digest: bytes, kind: Kind) -> bool:
    return tensor is not None and digest_of(as_stored(tensor), kind) == digest


def digest_of(value: Value, kind: Kind = SHA256) -> bytes:
    """That of the dtype, the shape and the bytes in C order."""
    hasher = _begun(value, kind)
    for piece in pieces_of(value, value.dtype):
        hasher.update(piece)
    return hasher.digest()


def _begun(value: Value, kind: Kind) -> Hasher:
    hasher = kind()
    hasher.update(f"{name_of(value.dtype)}{value.shape}".encode())
    return hasher


def digest_texts(digests: Digests) -> dict[str, str]:
    """As a report names them."""
    return {name: f"sha256:{digest.hex()}" for name, digest in digests.items()}
