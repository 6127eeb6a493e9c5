"""A 1 GB source: peak memory against the bound, wall time against `cp` and `sync` of the same bytes."""

import sys
import tempfile
from pathlib import Path

from measuring import WEIGHTBRIDGE, Cost, Row, finish, median, medians, megabytes, need, python

TENSORS, ROWS = 61, 2048  # 61 kernels of 2048 x 2048 float32: 1.02 GB
LARGEST = ROWS * ROWS * 4
MEMORY = 200e6 + 2 * LARGEST
FORMATS = ("safetensors", "h5", "weights.h5")

BUILD = """
import json, struct, sys
import h5py
import numpy as np
path, count, rows, seed = sys.argv[1], *map(int, sys.argv[2:])
random = np.random.default_rng(seed)

def arrays():
    for i in range(count):
        yield f"dense_{i}", random.standard_normal((rows, rows), dtype="float32")

def safetensors():
    size = rows * rows * 4
    entry = {"dtype": "F32", "shape": [rows, rows]}
    header = {f"dense_{i}/kernel": entry | {"data_offsets": [i * size, (i + 1) * size]} for i in range(count)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, array in arrays():
            file.write(array.tobytes())

def legacy():
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [f"dense_{i}".encode() for i in range(count)]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.12.0"
        for name, array in arrays():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group.create_dataset(f"{name}/kernel:0", data=array)

def keras3():
    with h5py.File(path, "w") as file:
        for name, array in arrays():
            group = file.create_group(f"layers/{name}")
            group.attrs["name"] = name
            group.create_dataset("vars/0", data=array)

(safetensors if path.endswith(".safetensors") else keras3 if path.endswith(".weights.h5") else legacy)()
"""


def main() -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        folder = Path(temporary)
        need(folder, 4_200_000_000)
        for suffix in FORMATS:
            rows += measured(folder, suffix)
    finish("transfer of 1 GB, against cp + sync", rows, "python benchmarks/big_file.py")


def measured(folder: Path, suffix: str) -> list[Row]:
    """The rows of one format; its files are removed again."""
    source, target, output = (folder / f"{name}.{suffix}" for name in ("source", "target", "output"))
    copied = folder / "copied"
    for seed, path in enumerate((source, target)):
        median(python(BUILD, path, str(TENSORS), str(ROWS), str(seed)), times=1)
    started = _start_up(folder, suffix)
    copy = ("sh", "-c", 'rm -f "$1" && cp "$0" "$1" && sync "$1"', source, copied)
    ours, theirs = medians((_transfer(source, target, output), copy), times=3, fresh=output)
    for path in (source, target, output, copied):
        path.unlink(missing_ok=True)
    beyond = ours.seconds - started.seconds
    times = f"{beyond:.1f} s beyond {started.seconds:.1f} s of start-up", f"{theirs.seconds:.2f} s"
    return [
        Row(f".{suffix}: time", *times, beyond / theirs.seconds, 6, False),
        Row(
            f".{suffix}: peak memory",
            megabytes(ours.peak),
            f"{megabytes(MEMORY)} allowed",
            ours.peak / MEMORY,
            1,
            False,
        ),
    ]


def _start_up(folder: Path, suffix: str) -> Cost:
    """The same command on the same number of tensors of next to no size."""
    source, target, output = (folder / f"small_{name}.{suffix}" for name in ("source", "target", "output"))
    for seed, path in enumerate((source, target)):
        median(python(BUILD, path, str(TENSORS), "2", str(seed)), times=1)
    return median(_transfer(source, target, output), times=3, fresh=output)


def _transfer(source: Path, target: Path, output: Path) -> tuple[str | Path, ...]:
    return (WEIGHTBRIDGE, "transfer", source, target, output, "--no-verify", "--no-progress")


if __name__ == "__main__":
    main()
