"""The hash of a model's content, all its bytes; `LayerGraph.structure` is that of its headers."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from weightbridge.boundary.checksums import crc32
from weightbridge.errors import MissingFile
from weightbridge.formats.containers import check_sums
from weightbridge.model.graph import LayerGraph

CHUNK = 1 << 20
PIECE = 1 << 18  # stays in the processor's cache
Stamp = tuple[int, int, int]  # a file's number, size and time of the last change


def content_hash(graph: LayerGraph) -> str:
    """SHA-256 of the file and its shards, of all files of a folder, or of a live model's tensors in order.

    Raises Corrupt where a Keras archive's own checksums do not fit: no header tells that a weight's bytes
    have changed.
    """
    if graph.format == "python":
        return _hash_of_values(graph)
    check_content(graph)
    path = Path(graph.path)
    digest = hashlib.sha256()
    try:
        for block in _blocks(_files(path, graph)):
            digest.update(block)
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=str(path)) from error
    return digest.hexdigest()


def check_content(graph: LayerGraph) -> None:
    """Raises Corrupt where a Keras archive's own checksums do not fit."""
    if graph.format == "keras-zip":  # PyTorch may leave the checksums of its archives out
        check_sums(Path(graph.path))


def stamps(graph: LayerGraph) -> tuple[Stamp, ...]:
    """What shows that one of a model's files has been written to or replaced; none of a live model."""
    if graph.format == "python":
        return ()
    try:
        stats = [file.stat() for file in _files(Path(graph.path), graph)]
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=graph.path) from error
    return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Sums(NamedTuple):
    """Of all bytes of a file: the CRC-32, and the SHA-256 where it was asked for, else ""."""

    crc: int
    sha256: str


def file_sums(path: Path, hashes: bool = True) -> Sums:
    """Raises OSError."""
    crc, digest, buffer = 0, hashlib.sha256(), memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            piece = buffer[:count]
            crc = crc32(piece, crc)
            if hashes:
                digest.update(piece)
    return Sums(crc, digest.hexdigest() if hashes else "")


def _hash_of_values(graph: LayerGraph) -> str:
    digest = hashlib.sha256()
    for tensor in graph.tensors:
        digest.update(tensor.load().tobytes())
    return digest.hexdigest()


def _files(path: Path, graph: LayerGraph) -> list[Path]:
    """The file itself, or all files of a folder that names none, and those that lie beside it."""
    beside = [Path(name) for name in graph.files]
    if path.is_file():
        return [path, *beside]
    if beside:
        return beside
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def _blocks(files: Iterable[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            while block := file.read(CHUNK):
                yield block
