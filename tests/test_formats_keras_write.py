"""Patched copies: the given tensors replaced, every other byte that a reader sees as it was."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest
from keras_files import (
    FIXTURES,
    dense_config,
    dense_groups,
    functional,
    layer,
    numbers,
    source,
    write_keras,
    write_legacy,
    write_weights,
)

from weightbridge import formats
from weightbridge.errors import OutputError, Unsupported
from weightbridge.formats.keras import json as keras_json
from weightbridge.formats.keras import zip as keras_zip
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array


def _stored(folder: Path) -> Path:
    return write_keras(folder / "t.keras", dense_config(), dense_groups())


def _deflated(folder: Path) -> Path:
    return write_keras(folder / "t.keras", dense_config(), dense_groups(), compression=zipfile.ZIP_DEFLATED)


def _weights(folder: Path) -> Path:
    return write_weights(folder / "t.weights.h5", dense_groups())


def _chunked(folder: Path) -> Path:
    return write_weights(folder / "t.weights.h5", dense_groups(300, 40), chunks=True, compression="gzip")


def _legacy(folder: Path) -> Path:
    return write_legacy(
        folder / "t.h5",
        {"d": {"d/kernel:0": numbers(4, 3), "d/bias:0": numbers(3)}},
        version="2.3.1",
        backend="tensorflow",
    )


def _keras2(folder: Path) -> Path:
    path = folder / "t.h5"
    path.write_bytes((FIXTURES / "keras2" / "nested.h5").read_bytes())
    return path


def _big_endian(folder: Path) -> Path:
    path = folder / "t.weights.h5"
    return write_weights(
        path, {"layers/dense": ("d", (numbers(4, 3).astype(">f4"), numbers(3).astype(">f4")))}
    )


def _bfloat16(folder: Path) -> Path:
    return write_keras(
        folder / "t.keras",
        dense_config(),
        {
            "layers/dense": (
                "head",
                tuple(a.astype(ml_dtypes.bfloat16) for a in dense_groups()["layers/dense"][1]),
            )
        },
    )


MAKERS = [_stored, _deflated, _weights, _chunked, _legacy, _keras2, _big_endian]


def _fresh(graph: LayerGraph) -> dict[str, Array]:
    return {t.name: numbers(*t.shape, seed=i + 7).astype(t.load().dtype) for i, t in enumerate(graph.tensors)}


@pytest.mark.parametrize("make", MAKERS, ids=[m.__name__.strip("_") for m in MAKERS])
def test_replaced_values_are_read_back(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    template, before, output = (
        formats.read(path),
        path.read_bytes(),
        tmp_path / f"out{''.join(path.suffixes)}",
    )
    values = _fresh(template)
    formats.write(template, output, ((t, values[t.name]) for t in template.tensors))
    written = formats.read(output)
    assert [(t.name, t.shape, t.dtype, t.role) for t in written.tensors] == [
        (t.name, t.shape, t.dtype, t.role) for t in template.tensors
    ]
    assert all(np.array_equal(t.load(), values[t.name]) for t in written.tensors)
    assert path.read_bytes() == before


@pytest.mark.parametrize("make", MAKERS, ids=[m.__name__.strip("_") for m in MAKERS])
def test_what_is_not_given_stays(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    template, output = formats.read(path), tmp_path / f"out{''.join(path.suffixes)}"
    first, *others = template.tensors
    formats.write(template, output, [(first, np.zeros(first.shape, first.load().dtype))])
    written = {t.name: t.load() for t in formats.read(output).tensors}
    assert not written[first.name].any()
    assert all(np.array_equal(written[t.name], t.load()) for t in others)


@pytest.mark.parametrize("make", [_stored, _deflated])
def test_other_members_of_an_archive_stay_byte_for_byte(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path, output = make(tmp_path), tmp_path / "out.keras"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/words.txt", "one\ntwo")
    template = formats.read(path)
    formats.write(template, output, [(t, np.ones(t.shape, "f4")) for t in template.tensors])
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(output) as new:
        assert new.testzip() is None
        assert new.namelist() == old.namelist()
        assert [i.compress_type for i in new.infolist()] == [i.compress_type for i in old.infolist()]
        assert all(new.read(n) == old.read(n) for n in old.namelist() if n != "model.weights.h5")


def test_attributes_and_optimizer_of_a_legacy_file_stay(tmp_path: Path) -> None:
    path, output = _legacy(tmp_path), tmp_path / "out.h5"
    with h5py.File(path, "a") as file:
        file["optimizer_weights/Variable:0"] = numbers(5)
        file.attrs["note"] = "kept"
    template = formats.read(path)
    assert [(e.name, e.reason, e.size) for e in template.excluded] == [
        ("optimizer_weights/Variable:0", "optimizer", 5)
    ]
    formats.write(template, output, [(t, np.ones(t.shape, "f4")) for t in template.tensors])
    with h5py.File(output) as file:
        assert np.array_equal(file["optimizer_weights/Variable:0"], numbers(5))
        assert file.attrs["note"] == "kept"


def test_bfloat16_is_read_and_written(tmp_path: Path) -> None:
    path, output = _bfloat16(tmp_path), tmp_path / "out.keras"
    with zipfile.ZipFile(path) as archive:
        assert b"bfloat16" not in archive.read("model.weights.h5")
    template = formats.read(_marked(tmp_path))
    assert {t.dtype for t in template.tensors} == {"bfloat16"}
    value = numbers(4, 3, seed=5).astype(ml_dtypes.bfloat16)
    formats.write(template, output, [(template.tensors[0], value)])
    assert np.array_equal(formats.read(output).tensors[0].load(), value)


def _marked(folder: Path) -> Path:
    """A file whose bfloat16 arrays are marked as Keras marks them; an unmarked one has no number's dtype."""
    path = folder / "marked.weights.h5"
    with h5py.File(path, "w") as file:
        place = file.create_group("layers/dense/vars")
        for i, array in enumerate(dense_groups()["layers/dense"][1]):
            place.create_dataset(str(i), data=array.astype(ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"
    return path


def test_two_bytes_that_nothing_calls_bfloat16_are_no_weights(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no number"):
        formats.read(_bfloat16(tmp_path))


def test_weights_alone_of_a_whole_model(tmp_path: Path) -> None:
    template, output = formats.read(_stored(tmp_path)), tmp_path / "out.weights.h5"
    values = _fresh(template)
    formats.write(template, output, ((t, values[t.name]) for t in template.tensors))
    written = formats.read(output)
    assert written.format == "keras-weights-h5"
    assert {t.name: t.load().tolist() for t in written.tensors} == {
        name: v.tolist() for name, v in values.items()
    }


def test_one_value_at_a_time(tmp_path: Path) -> None:
    layers = [source("x", [4]), *(layer("Dense", f"d{i}", units=4) for i in range(5))]
    calls = {f"d{i}": [["x" if i == 0 else f"d{i - 1}"]] for i in range(5)}
    groups = {
        f"layers/dense{f'_{i}' if i else ''}": (f"d{i}", (numbers(4, 4, seed=i), numbers(4, seed=i)))
        for i in range(5)
    }
    template = formats.read(
        write_keras(tmp_path / "t.keras", functional(layers, calls, [["d4", 0, 0]]), groups)
    )
    output, seen = tmp_path / "out.keras", []

    def values() -> "object":
        for tensor in template.tensors:
            seen.append(output.exists())
            yield tensor, np.ones(tensor.shape, "f4")

    formats.write(template, output, values())  # type: ignore[arg-type]
    assert seen == [True] * 10


def test_no_place_to_write(tmp_path: Path) -> None:
    template = formats.read(_stored(tmp_path))
    with pytest.raises(OutputError):
        formats.write(template, tmp_path / "absent" / "out.keras", [])
    with pytest.raises(OutputError, match="no weights"):
        keras_json.write(template, tmp_path / "out.json", [])


def test_a_wrong_shape_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    template = formats.read(_stored(tmp_path))
    with pytest.raises(AssertionError):
        keras_zip.write(
            template, tmp_path / "out.keras", [(replace(template.tensors[0]), np.zeros((1, 1), "f4"))]
        )
