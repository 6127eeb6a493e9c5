"""The hash of a model's content, all its bytes; `LayerGraph.structure` is that of its headers."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from weightbridge.errors import MissingFile
from weightbridge.formats.containers import check_sums
from weightbridge.model.graph import LayerGraph

CHUNK = 1 << 20


def content_hash(graph: LayerGraph) -> str:
    """SHA-256 of the file and its shards, of all files of a folder, or of a live model's tensors in order.

    Raises Corrupt where a Keras archive's own checksums do not fit: no header tells that a weight's bytes
    have changed.
    """
    if graph.format == "python":
        return _hash_of_values(graph)
    path = Path(graph.path)
    if graph.format == "keras-zip":  # PyTorch may leave the checksums of its archives out
        check_sums(path)
    digest = hashlib.sha256()
    try:
        for block in _blocks(_files(path, graph)):
            digest.update(block)
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=str(path)) from error
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
