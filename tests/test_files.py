"""Files in which runs of zeros take no space hold the same bytes as any other."""

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
    path, source = tmp_path / "copy", tmp_path / "source"
    path.write_bytes(b"what stood there before" * HOLE)
    source.write_bytes(b"before" + CONTENTS[name] + b"behind")
    with SparseFile(path) as target:
        copy_sparsely(source, 6, 6 + len(CONTENTS[name]), target)
    assert path.read_bytes() == CONTENTS[name]


@pytest.mark.parametrize("holes", [0, 1, 5], ids=lambda n: f"{n}-holes")
@pytest.mark.parametrize("start", [0, 1, HOLE + 3])
def test_a_copy_of_a_file_with_holes_has_the_same_bytes(holes: int, start: int, tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "copy"
    with source.open("wb") as file:
        for part in (b"first" * 1000, b"middle", b""):
            file.write(part)
            file.seek(holes * HOLE + 17, 1)
        file.truncate()
    with SparseFile(path) as target:
        copy_sparsely(source, start, source.stat().st_size, target)
    assert path.read_bytes() == source.read_bytes()[start:]


def test_zeros_take_no_space(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    source = tmp_path / "source"
    source.write_bytes(CONTENTS["a-hole-in-the-middle"])
    with SparseFile(path) as target:
        copy_sparsely(source, 0, source.stat().st_size, target)
    if not hasattr(path.stat(), "st_blocks") or not _leaves_holes(tmp_path):
        pytest.skip("a file system without holes")
    assert path.stat().st_blocks * 512 < 3 * HOLE


def _leaves_holes(folder: Path) -> bool:
    with (folder / "hole").open("wb") as file:
        file.truncate(16 * HOLE)
    return (folder / "hole").stat().st_blocks * 512 < HOLE
