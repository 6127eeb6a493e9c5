"""Content hashes cover the files beside the one that the user names."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_formats_onnx_write import external

from weightbridge import formats
from weightbridge.hashing import content_hash


def shards(path: Path) -> Path:
    """Keras weights in two files: a map and what it names."""
    for number, layer in enumerate(("dense", "dense_1")):
        with h5py.File(path.with_name(f"m_{number}.weights.h5"), "w") as file:
            file[f"layers/{layer}/vars/0"] = np.arange(6, dtype="f4").reshape(2, 3)
    path.write_text('{"metadata": {}, "weight_map": {"/layers/dense": "m_0.weights.h5", "/layers/dense_1": "m_1.weights.h5"}}')
    return path


@pytest.mark.parametrize(
    ("make", "name", "beside"),
    [(external, "m.onnx", "weights.bin"), (shards, "m.weights.json", "m_1.weights.h5")],
    ids=["onnx with external data", "keras shards"],
)
def test_the_hash_covers_every_file(tmp_path: Path, make: Callable[[Path], Path], name: str, beside: str) -> None:
    graph = formats.read(make(tmp_path / name))
    before = content_hash(graph)
    assert content_hash(formats.read(tmp_path / name)) == before
    data = bytearray((tmp_path / beside).read_bytes())
    place = max(data.find(tensor.load().tobytes()) for tensor in graph.tensors)
    data[place + 5] ^= 0xFF
    (tmp_path / beside).write_bytes(bytes(data))
    assert content_hash(formats.read(tmp_path / name)) != before
