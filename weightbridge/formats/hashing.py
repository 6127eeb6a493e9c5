"""Hashes that name a model: of its structure (headers only) and of its content (all bytes)."""

import hashlib
import json
from pathlib import Path
from typing import Any

from weightbridge.errors import MissingFile
from weightbridge.formats.containers import check_sums
from weightbridge.model.graph import LayerGraph

CHUNK = 1 << 20


def structure_hash(graph: LayerGraph) -> str:
    """SHA-256 over the layers (names, ops, attributes), tensors (names, shapes, dtypes) and edges."""
    digest = hashlib.sha256(graph.format.encode())
    for layer in graph.layers:
        tensors = [(t.name, t.role, t.shape, t.dtype) for t in layer.tensors]
        digest.update(_canonical([layer.name, layer.op, layer.class_name, dict(layer.attributes), tensors]))
    edges = sorted((edge.source, edge.target, edge.position) for edge in graph.edges)
    digest.update(_canonical(edges))
    return digest.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode(
        "utf-8", "surrogatepass"
    )


def content_hash(graph: LayerGraph) -> str:
    """SHA-256 of the file and its shards, of all files of a folder, or of a live model's tensors in order.

    Raises Corrupt where a Keras archive's own checksums do not fit: no header tells that a weight's bytes
    have changed.
    """
    digest = hashlib.sha256()
    if graph.format == "python":
        for tensor in graph.tensors:
            digest.update(tensor.load().tobytes())
        return digest.hexdigest()
    root = Path(graph.path)
    paths = (
        [root]
        if root.is_file()
        else []
        if graph.files
        else sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    )
    paths += [Path(name) for name in graph.files]
    if graph.format == "keras-zip":  # PyTorch may leave the checksums of its archives out
        check_sums(root)
    try:
        for path in paths:
            with path.open("rb") as file:
                while block := file.read(CHUNK):
                    digest.update(block)
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}", where=str(root)) from error
    return digest.hexdigest()
