"""convert: OUTPUT is whole or absent, whatever ends the work, in every direction; nothing is left behind."""

import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import FIXTURES, layer, sequential, source
from test_transfer import left, ordinary_user, peak
from tflite_files import Graph, Op, Tensor
from tflite_files import saved as saved_tflite

import weightbridge as wb
from weightbridge.boundary.options import Options
from weightbridge.commands import convert as command
from weightbridge.errors import Corrupt, OutputError, Unsupported, UsageError
from weightbridge.formats.keras.architecture.config import parse_model
from weightbridge.formats.keras.emit.places import places_of
from weightbridge.formats.keras.emit.skeleton import write_skeleton
from weightbridge.model.graph import LayerGraph
from weightbridge.transfer import execute, write

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "models"


def old_keras(folder: Path) -> Path:
    return Path(shutil.copy(FIXTURES / "keras2" / "recurrent.h5", folder / "model.h5"))


def onnx(folder: Path) -> Path:
    return Path(shutil.copy(EXAMPLES / "torch.onnx", folder / "model.onnx"))


def tflite(folder: Path) -> Path:
    kernel = np.random.default_rng(0).normal(size=(30, 20)).astype("float32")
    tensors = [Tensor("x", (1, 20)), Tensor("kernel", (30, 20), array=kernel), Tensor("y", (1, 30))]
    graph = Graph(tensors, [Op("FULLY_CONNECTED", [0, 1, -1], [2])], [0], [2])
    return saved_tflite(folder / "model.tflite", graph)


def saved_model(folder: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "tensorflow" / "keras2_dense", folder / "model"))


DIRECTIONS = {
    "keras-to-keras": (old_keras, ".keras"),
    "keras-to-h5": (old_keras, ".h5"),
    "keras-to-onnx": (old_keras, ".onnx"),
    "onnx-to-keras": (onnx, ".keras"),
    "onnx-to-h5": (onnx, ".h5"),
    "tflite-to-keras": (tflite, ".keras"),
    "saved-model-to-keras": (saved_model, ".keras"),
}


@pytest.fixture(params=DIRECTIONS)
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """A model and the OUTPUT of its conversion, in a folder where temporary files go too."""
    make, suffix = DIRECTIONS[request.param]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return make(tmp_path), tmp_path / f"new{suffix}"


def converted(pair: tuple[Path, Path], **options: Any) -> wb.Report:
    return wb.convert(pair[0], pair[1], verify=False, **options)


@contextmanager
def no_file_beyond(limit: int) -> Iterator[None]:
    """What a full disk says, said by the system itself."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_output_is_whole_and_named_by_its_hash(pair: tuple[Path, Path]) -> None:
    report = converted(pair)
    assert left(pair[1].parent) == sorted(path.name for path in pair)
    sha256 = hashlib.sha256(pair[1].read_bytes()).hexdigest()
    target, plan = report.target, report.plan
    assert target is not None
    assert plan is not None
    assert report.wrote is not None
    assert report.wrote["sha256"] == target.sha256 == plan.target_sha256 == sha256
    assert len(wb.read(pair[1]).tensors) == target.tensors


@pytest.mark.parametrize("part", [0, 0.3, 0.9], ids=["nothing", "a-third", "nearly-all"])
def test_a_full_disk_leaves_the_old_output_whole(
    pair: tuple[Path, Path], part: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would keep half of a compiled module
    converted(pair)
    limit = int(part * pair[1].stat().st_size)
    pair[1].write_text("old")
    with (
        no_file_beyond(limit),
        pytest.raises(OutputError, match="cannot be written: File too large") as raised,
    ):
        converted(pair, overwrite=True)
    assert raised.value.where == str(pair[1])
    assert pair[1].read_text() == "old"
    assert left(pair[1].parent) == sorted(path.name for path in pair)


def interrupted(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


STAGES: dict[str, tuple[Any, ...]] = {
    "before-the-values": (command, "judged"),
    "among-the-values": (execute, "_loaded"),
    "while-it-is-synced": (write, "sync"),
    "while-it-is-hashed": (write, "file_sums", "file_hash"),
    "while-it-is-read-back": (write, "whole_read_back", "read_back"),
    "before-it-is-renamed": (command, "publish"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_an_interruption_leaves_nothing_behind(
    pair: tuple[Path, Path], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, *names = STAGES[stage]
    for name in names:
        monkeypatch.setattr(module, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        converted(pair)
    assert left(pair[1].parent) == [pair[0].name]


@pytest.mark.parametrize("hashes", [True, False], ids=["hashed", "not-hashed"])
def test_a_byte_that_the_disk_changes_is_noticed(
    pair: tuple[Path, Path], hashes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last byte of a tensor."""

    def damaged(_: Any, path: Path, words: Any) -> None:
        tensor = max(wb.read(path).tensors, key=lambda one: one.nbytes)
        data = bytearray(path.read_bytes())
        data[data.index(tensor.load().tobytes()) + tensor.nbytes - 1] ^= 1
        path.write_bytes(data)

    monkeypatch.setattr(write.formats, "write_words", damaged)
    with pytest.raises(OutputError, match="what was read back is not what was written"):
        command.convert(str(pair[0]), pair[1], Options(verify=False, hashes=hashes))
    assert left(pair[1].parent) == [pair[0].name]


@pytest.mark.parametrize("hashes", [True, False], ids=["hashed", "not-hashed"])
def test_a_model_that_changes_meanwhile_is_noticed(
    pair: tuple[Path, Path], hashes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pair[0] if pair[0].is_file() else next(p for p in pair[0].rglob("*") if p.is_file())

    def changed(path: Path) -> None:
        os.utime(file, ns=(0, 0))

    monkeypatch.setattr(write, "sync", changed)
    with pytest.raises(Corrupt, match="has changed while it was read"):
        command.convert(str(pair[0]), pair[1], Options(verify=False, hashes=hashes))
    assert left(pair[1].parent) == [pair[0].name]


def test_what_nobody_reads_is_not_hashed(pair: tuple[Path, Path]) -> None:
    report = command.convert(str(pair[0]), pair[1], Options(verify=False, hashes=False))
    assert report.source is not None
    assert (report.source.sha256, report.digests) == (None, {})
    first = pair[1].read_bytes()
    assert converted(pair, overwrite=True).digests
    assert pair[1].read_bytes() == first


def test_an_output_that_exists_is_replaced_only_where_that_is_said(pair: tuple[Path, Path]) -> None:
    pair[1].write_text("old")
    with pytest.raises(UsageError, match="exists already"):
        converted(pair)
    assert pair[1].read_text() == "old"
    converted(pair, overwrite=True)
    assert pair[1].read_bytes()[:3] != b"old"


@pytest.mark.parametrize("make", [old_keras, onnx], ids=["h5", "onnx"])
def test_the_model_itself_is_never_the_output(make: Callable[[Path], Path], tmp_path: Path) -> None:
    model = make(tmp_path)
    before = model.read_bytes()
    linked = tmp_path / f"linked{model.suffix}"
    linked.symlink_to(model)
    for output in (model, linked):
        with pytest.raises(UsageError, match="is a model of this command"):
            wb.convert(model, output, verify=False, overwrite=True)
    assert model.read_bytes() == before


def test_a_folder_that_may_not_be_written_to_is_said_before_the_work() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = old_keras(folder)
        wb.convert(model, folder / "first.keras", verify=False)  # loads what another user may not
        folder.chmod(0o555)
        with ordinary_user(), pytest.raises(OutputError, match="Permission denied") as raised:
            wb.convert(model, folder / "new.keras", verify=False)
        assert raised.value.where == str(folder / "new.keras")
        assert left(folder) == ["first.keras", "model.h5"]
        folder.chmod(0o755)


def test_what_an_earlier_run_left_is_not_in_the_way(tmp_path: Path) -> None:
    """A process that was killed leaves its temporary file; the next one has a name of its own."""
    model, stale = old_keras(tmp_path), tmp_path / ".new.0123456789abcdef.part.keras"
    stale.write_text("half")
    wb.convert(model, tmp_path / "new.keras", verify=False)
    assert left(tmp_path) == sorted([stale.name, "model.h5", "new.keras"])
    assert os.path.getsize(stale) == 4


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak stands in /proc")
def test_one_tensor_at_a_time_is_in_memory(tmp_path: Path) -> None:
    """200 MB in tensors of 10 MB, there and back: the peak stays far below the file."""
    first, second, third = (
        large(tmp_path / "first.keras"),
        tmp_path / "second.onnx",
        tmp_path / "third.keras",
    )
    for model, output in ((first, second), (second, third)):
        assert peak("convert", model, output, "--no-verify", "--quiet") < 130 << 10, "kilobytes at the peak"


@pytest.mark.slow
def test_a_model_beyond_protobufs_limit_is_refused_before_it_is_written(tmp_path: Path) -> None:
    model = large(tmp_path / "model.keras", units=5000, count=22)
    with pytest.raises(Unsupported, match=r"larger than 2 GB.*Convert it to \.keras") as raised:
        wb.convert(model, tmp_path / "new.onnx", verify=False)
    assert "skeleton" not in str(raised.value)
    assert left(tmp_path) == ["model.keras"]


def large(path: Path, units: int = 1600, count: int = 20) -> Path:
    """Dense layers of zeros, which take no space on the disk."""
    layers = (layer("Dense", f"dense_{n}", units=units) for n in range(count))
    config = sequential(source("x", [units]), *layers)
    places = places_of(parse_model(config, str(path)), LayerGraph(str(path), "keras-json", "keras"))
    write_skeleton(path, json.dumps(config), places)
    return path
