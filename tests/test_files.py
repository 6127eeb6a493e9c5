"""Files in which runs of zeros take no space hold the same bytes as any other."""

import io
from pathlib import Path

import pytest

from weightbridge.boundary.files import HOLE, SparseFile, copy_sparsely

CONTENTS = {
    "empty": b"",
    "short": b"\0" * 5,
    "no-zeros": b"ab" * HOLE,
    "a-hole-in-the-middle": b"a" * HOLE + bytes(3 * HOLE) + b"b",
    "a-hole-at-the-end": b"a" + bytes(4 * HOLE),
    "only-zeros": bytes(2 * HOLE),
    "zeros-that-begin-late": b"a" * (HOLE // 2) + bytes(HOLE) + b"b" * 7,
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_sparse_copy_has_the_same_bytes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.write_bytes(b"what stood there before" * HOLE)
    with SparseFile(path) as target:
        copy_sparsely(io.BytesIO(CONTENTS[name]), target)
    assert path.read_bytes() == CONTENTS[name]


def test_zeros_take_no_space(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    with SparseFile(path) as target:
        copy_sparsely(io.BytesIO(CONTENTS["a-hole-in-the-middle"]), target)
    if not hasattr(path.stat(), "st_blocks") or not _leaves_holes(tmp_path):
        pytest.skip("a file system without holes")
    assert path.stat().st_blocks * 512 < 3 * HOLE


def _leaves_holes(folder: Path) -> bool:
    with (folder / "hole").open("wb") as file:
        file.truncate(16 * HOLE)
    return (folder / "hole").stat().st_blocks * 512 < HOLE
