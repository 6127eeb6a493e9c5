"""Large tensors go from file to file in pieces: the same bytes, looked at for NaN, and never loaded."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy
from test_transfer import peak, state, values

import weightbridge as wb
from weightbridge.boundary.options import Options
from weightbridge.commands import convert as command
from weightbridge.errors import Corrupt, OutputError
from weightbridge.formats.streamed import PIECE, as_stored, in_pieces, pieces_of, whole_of
from weightbridge.model.tensors import Tensor
from weightbridge.transfer import write

INPUTS, UNITS = 300, 700  # more than three pieces, and no whole number of them


def config(inputs: int = INPUTS, units: int = UNITS) -> dict[str, object]:
    return sequential(source("x", [inputs]), layer("Dense", "head", units=units))


def old(folder: Path, kernel: np.ndarray) -> Path:
    told = sequential(
        layer("Dense", "head", module="", units=kernel.shape[1], batch_input_shape=[None, kernel.shape[0]])
    )
    weights = {"head": {"head/kernel:0": kernel, "head/bias:0": numbers(kernel.shape[1])}}
    return write_legacy(folder / "old.h5", weights, told, version="2.4.0", backend="tensorflow")


def today(folder: Path, kernel: np.ndarray) -> Path:
    groups = {"layers/dense": ("head", (kernel, numbers(kernel.shape[1])))}
    return write_keras(folder / "today.keras", config(*kernel.shape), groups)


@pytest.mark.parametrize("make", [old, today])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".onnx"])
def test_a_large_tensor_arrives_as_it_was(make: object, suffix: str, tmp_path: Path) -> None:
    kernel = numbers(INPUTS, UNITS)
    model = make(tmp_path, kernel)
    output = tmp_path / f"output{suffix}"
    told = command.convert(str(model), output, Options(verify=False, hashes=False))
    hashed = wb.convert(model, tmp_path / f"hashed{suffix}", verify=False)
    assert told.verdict == hashed.verdict == "pass"
    assert output.read_bytes() == (tmp_path / f"hashed{suffix}").read_bytes()
    array = next(t for t in wb.read(output).tensors if t.size == kernel.size).load()
    assert np.array_equal(array, kernel)


def test_the_digest_is_the_same_in_pieces_and_whole(tmp_path: Path) -> None:
    kernel = numbers(INPUTS, UNITS)
    here = state(tmp_path / "a.safetensors", {"a.weight": kernel})
    there = state(tmp_path / "b.safetensors", {"a.weight": kernel * 0})
    report = wb.transfer(here, there, output=tmp_path / "c.safetensors", verify=False)
    small = wb.transfer(
        state(tmp_path / "d.safetensors", {"a.weight": kernel.T.copy().T}),
        there,
        output=tmp_path / "e.safetensors",
        verify=False,
    )
    assert np.array_equal(values(tmp_path / "c.safetensors")["a.weight"], kernel)
    assert report.digests == small.digests


@pytest.mark.parametrize("place", [0, PIECE // 4, INPUTS * UNITS - 1], ids=["first", "second-piece", "last"])
def test_a_value_that_is_not_finite_is_counted(place: int, tmp_path: Path) -> None:
    kernel = numbers(INPUTS, UNITS)
    kernel.reshape(-1)[place] = np.nan
    report = command.convert(str(old(tmp_path, kernel)), tmp_path / "output.keras", Options(verify=False))
    said = [f.message for f in report.findings if f.code == "WB106"]
    assert said == [f"head/kernel: 1 of {kernel.size} values are NaN or Inf"]
    assert report.exit_code == 1
    assert not (tmp_path / "output.keras").exists()


def test_a_byte_of_a_large_tensor_that_the_disk_changes_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file that is read back tensor by tensor, and nobody asks for hashes of."""

    def damaged(_: object, path: Path, __: object) -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    monkeypatch.setattr(write.formats, "write_words", damaged)
    with pytest.raises(OutputError, match="what was read back is not what was written"):
        command.convert(
            str(old(tmp_path, numbers(INPUTS, UNITS))),
            tmp_path / "o.onnx",
            Options(verify=False, hashes=False),
        )


def kernel_of(path: Path) -> Tensor:
    return max(wb.read(path).tensors, key=lambda tensor: tensor.nbytes)


def test_a_file_that_becomes_shorter_is_noticed(tmp_path: Path) -> None:
    model = old(tmp_path, numbers(INPUTS, UNITS))
    value = in_pieces(kernel_of(model))
    assert value is not None
    pieces = value.pieces()
    next(pieces)
    with model.open("r+b") as file:
        file.truncate(PIECE)
    with pytest.raises(Corrupt, match="has become shorter"):
        list(pieces)


LARGE = numbers(INPUTS, UNITS)


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (LARGE.astype(">f4"), {}),
        (LARGE, {"chunks": (100, 100)}),
        (LARGE, {"compression": "gzip"}),
        (numbers(3, 4), {}),
    ],
    ids=["big-endian", "chunks", "compressed", "small"],
)
def test_what_does_not_lie_there_as_it_is_in_memory_is_loaded(
    array: np.ndarray, options: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=array, **options)
    tensor = kernel_of(path)
    assert in_pieces(tensor) is None
    assert np.array_equal(as_stored(tensor), array)


def test_pieces_of_another_dtype_are_of_the_whole(tmp_path: Path) -> None:
    value = in_pieces(kernel_of(old(tmp_path, LARGE)))
    assert value is not None
    wanted = np.dtype(">f4")
    assert b"".join(map(bytes, pieces_of(value, wanted))) == LARGE.astype(wanted).tobytes()
    assert np.array_equal(whole_of(value), LARGE)


def test_a_large_tensor_takes_no_memory(tmp_path: Path) -> None:
    """Of 48 MB, as a whole process."""
    sizes = [
        peak("convert", old(tmp_path, numbers(n, 3000)), tmp_path / f"{n}.keras", "--no-verify", "--quiet")
        for n in (10, 4000)
    ]
    assert sizes[1] - sizes[0] < 24 << 10
