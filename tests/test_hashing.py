"""Content hashes cover the files beside the one that the user names, and archives whose bytes have changed
are refused.
"""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_formats_onnx_write import external

from weightbridge import formats
from weightbridge.errors import Corrupt
from weightbridge.formats.hashing import content_hash
from weightbridge.model.graph import LayerGraph

EXAMPLES = Path(__file__).parents[1] / "examples" / "models"


def shards(path: Path) -> Path:
    """Keras weights in two files: a map and what it names."""
    for number, layer in enumerate(("dense", "dense_1")):
        with h5py.File(path.with_name(f"m_{number}.weights.h5"), "w") as file:
            file[f"layers/{layer}/vars/0"] = np.arange(6, dtype="f4").reshape(2, 3)
    path.write_text(
        '{"metadata": {}, "weight_map": {"/layers/dense": "m_0.weights.h5", '
        '"/layers/dense_1": "m_1.weights.h5"}}'
    )
    return path


def change_a_weight(path: Path, graph: LayerGraph) -> None:
    """One bit of a stored weight, and nothing that a header tells of."""
    data = bytearray(path.read_bytes())
    place = max(data.find(tensor.load().tobytes()) for tensor in graph.tensors)
    data[place + 5] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("make", "name", "beside"),
    [(external, "m.onnx", "weights.bin"), (shards, "m.weights.json", "m_1.weights.h5")],
    ids=["onnx with external data", "keras shards"],
)
def test_the_hash_covers_every_file(
    tmp_path: Path, make: Callable[[Path], Path], name: str, beside: str
) -> None:
    graph = formats.read(make(tmp_path / name))
    before = content_hash(graph)
    assert content_hash(formats.read(tmp_path / name)) == before
    change_a_weight(tmp_path / beside, graph)
    assert content_hash(formats.read(tmp_path / name)) != before


def test_a_keras_archive_is_held_to_its_checksums(tmp_path: Path) -> None:
    path = tmp_path / "mine.keras"
    path.write_bytes((EXAMPLES / "mine.keras").read_bytes())
    graph = formats.read(path)
    assert content_hash(graph)
    change_a_weight(path, graph)
    with pytest.raises(Corrupt, match=r"checksum") as caught:
        content_hash(formats.read(path))
    assert caught.value.where == f"{path}: model.weights.h5"
