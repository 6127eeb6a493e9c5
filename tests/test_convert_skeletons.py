"""convert: the graph of a skeleton is told without reading it, and is what reading it gives."""

from collections.abc import Callable
from pathlib import Path

import pytest
from keras_files import FIXTURES

from weightbridge import formats
from weightbridge.boundary.files import sparse_checksum
from weightbridge.commands.skeletons.writing import write_keras
from weightbridge.converting import lowered
from weightbridge.converting.from_graph import Settings, asked_for, drawn
from weightbridge.formats.containers import check_sums
from weightbridge.formats.hashing import file_sums
from weightbridge.model.graph import LayerGraph

EXAMPLES = FIXTURES.parent / "examples" / "models"
OLD = sorted(path for era in ("keras2",) for path in (FIXTURES / era).glob("*.h5") if path.stem != "lambda")


def of_keras(source: LayerGraph, path: Path) -> LayerGraph:
    return write_keras(path, lowered(source).config, source)


def of_onnx(source: LayerGraph, path: Path) -> LayerGraph:
    made = drawn(source, Settings())
    return write_keras(path, made.config, asked_for(made))


CASES: dict[str, tuple[Path, Callable[[LayerGraph, Path], LayerGraph]]] = {
    **{f"{path.parent.name}-{path.stem}": (path, of_keras) for path in OLD},
    **{path.name: (path, of_onnx) for path in sorted(EXAMPLES.glob("*.onnx"))},
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_reading_it_gives(case: str, tmp_path: Path) -> None:
    model, make = CASES[case]
    path = tmp_path / "skeleton.keras"
    told = make(formats.read(model), path)
    assert told.tensors
    assert told == formats.read(path)


def test_its_archive_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "skeleton.keras"
    of_keras(formats.read(OLD[0]), path)
    check_sums(path)
    assert sparse_checksum(path) == file_sums(path, hashes=False).crc
