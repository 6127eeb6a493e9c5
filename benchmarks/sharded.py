"""`weightbridge inspect` of a 20 GB checkpoint in ten safetensors files (sparse ones), against one of 2 MB
with as many tensors.
"""

import json
import struct
import sys
import tempfile
from pathlib import Path

from measuring import WEIGHTBRIDGE, Row, finish, medians, megabytes

SHARDS, TENSORS = 10, 50  # tensors in each shard
LARGE, SMALL = 3168, 32  # rows and columns of a tensor: 20 GB, 2 MB
MEMORY = 300e6
SAME = 1.5  # times the time of the small one, on a machine that does other things as well


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        folders = [
            checkpoint(Path(temporary) / name, width) for name, width in (("large", LARGE), ("small", SMALL))
        ]
        ours, small = medians([(WEIGHTBRIDGE, "inspect", folder) for folder in folders], times=5)
    size = SHARDS * TENSORS * LARGE * LARGE * 4 / 1e9
    rows = [
        Row(
            f"inspect {size:.0f} GB in {SHARDS} files: time",
            ours.said,
            f"{small.said} for a small one",
            ours.seconds / small.seconds,
            SAME,
            False,
        ),
        Row(
            "the same: peak memory",
            megabytes(ours.peak),
            f"{megabytes(MEMORY)} allowed",
            ours.peak / MEMORY,
            1,
            False,
        ),
    ]
    finish("inspection of a checkpoint in several files", rows, "python benchmarks/sharded.py")


def checkpoint(folder: Path, width: int) -> Path:
    """The index and its shards; their data are holes, which take no room on the disk."""
    folder.mkdir()
    weights: dict[str, str] = {}
    for shard in range(SHARDS):
        name = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        names = [f"model.layers.{shard * TENSORS + n}.mlp.up_proj.weight" for n in range(TENSORS)]
        _sparse(folder / name, names, width)
        weights |= dict.fromkeys(names, name)
    total = SHARDS * TENSORS * width * width * 4
    index = {"metadata": {"total_size": total}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def _sparse(path: Path, names: list[str], width: int) -> None:
    size = width * width * 4
    entries = {
        name: {"dtype": "F32", "shape": [width, width], "data_offsets": [n * size, (n + 1) * size]}
        for n, name in enumerate(names)
    }
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + len(names) * size)


if __name__ == "__main__":
    main()
