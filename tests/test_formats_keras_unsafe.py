"""Bad Keras files: each refused with its code and the path of the thing at fault.

Nothing run, followed or allocated.
"""

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from keras_files import (
    FIXTURES,
    dense_config,
    dense_groups,
    fill_groups,
    functional,
    layer,
    numbers,
    sequential,
    source,
    write_keras,
    write_legacy,
    write_weights,
)

from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ModelError, ResourceBomb, Unsupported
from weightbridge.formats.keras import h5 as keras_h5
from weightbridge.formats.keras import json as keras_json
from weightbridge.formats.keras import weights_h5 as keras_weights_h5
from weightbridge.formats.keras import zip as keras_zip

Make = Callable[[h5py.File], Any]


def _external_link(file: h5py.File) -> None:
    file["layers/dense/vars/2"] = h5py.ExternalLink("/etc/hostname", "/x")


def _soft_link(file: h5py.File) -> None:
    file["layers/dense/vars/2"] = h5py.SoftLink("/layers/dense/vars/0")


def _external_bytes(file: h5py.File) -> None:
    file["layers/dense/vars"].create_dataset("2", (4,), "f4", external=[("/etc/hostname", 0, 16)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4, 3))
    file["layers/dense/vars"].create_virtual_dataset("2", layout)


def _shape_bomb(file: h5py.File) -> None:
    file["layers/dense/vars"].create_dataset(
        "2", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024), compression="gzip"
    )


def _many_small_bombs(file: h5py.File) -> None:
    for i in range(2, 40):
        file["layers/dense/vars"].create_dataset(str(i), (1 << 22,), "f4", chunks=(1024,))


def _strings(file: h5py.File) -> None:
    file["layers/dense/vars"].create_dataset("2", data=["a", "b"], dtype=h5py.string_dtype())


def _compound(file: h5py.File) -> None:
    file["layers/dense/vars"].create_dataset("2", data=np.zeros(3, [("a", "f4"), ("b", "i4")]))


def _loop(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers"]


@pytest.mark.parametrize(
    ("make", "error", "where"),
    [
        (_external_link, ExternalReference, "layers/dense/vars/2"),
        (_soft_link, ExternalReference, "layers/dense/vars/2"),
        (_external_bytes, ExternalReference, "layers/dense/vars/2"),
        (_virtual, ExternalReference, "layers/dense/vars/2"),
        (_shape_bomb, ResourceBomb, "layers/dense/vars/2"),
        (_many_small_bombs, ResourceBomb, "m.weights.h5"),
        (_strings, Unsupported, "layers/dense/vars/2"),
        (_compound, Unsupported, "layers/dense/vars/2"),
        (_loop, Corrupt, "layers/dense/again"),
    ],
)
def test_bad_hdf5(tmp_path: Path, make: Make, error: type[ModelError], where: str) -> None:
    path = write_weights(tmp_path / "m.weights.h5", dense_groups())
    keras_weights_h5.read(path)
    with h5py.File(path, "a") as file:
        make(file)
    with pytest.raises(error) as found:
        keras_weights_h5.read(path)
    assert where in found.value.where
    assert found.value.fix


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_truncated_hdf5(tmp_path: Path, part: float) -> None:
    path = write_weights(tmp_path / "m.weights.h5", dense_groups(300, 40))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(Corrupt, match=r"m\.weights\.h5"):
        keras_weights_h5.read(path)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_never_end_in_another_error(tmp_path: Path, seed: int) -> None:
    path = write_keras(tmp_path / "m.keras", dense_config(), dense_groups())
    body, rng = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for place in rng.integers(0, len(body), 12):
        body[place] = rng.integers(0, 256)
    path.write_bytes(body)
    with contextlib.suppress(ModelError):
        for tensor in keras_zip.read(path).tensors:
            tensor.load()


@pytest.mark.parametrize("length", [0, 219, 1 << 40])
def test_a_damaged_heap_of_texts_does_not_hang(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes((FIXTURES / "keras2" / "plain.h5").read_bytes())
    body = bytearray(path.read_bytes())
    place = body.index(b"GCOL") + 16 + 8  # the size of its first object
    body[place : place + 8] = length.to_bytes(8, "little")
    path.write_bytes(body)
    with pytest.raises(Corrupt):
        keras_h5.read(path)


def test_overlapping_datasets(tmp_path: Path) -> None:
    path = write_weights(
        tmp_path / "m.weights.h5", {"layers/dense": ("d", (numbers(64, 64), numbers(64, 64, seed=1)))}
    )
    with h5py.File(path) as file:
        first, second = (file[f"layers/dense/vars/{i}"].id.get_offset() for i in (0, 1))
    body = path.read_bytes()
    place = body.index(second.to_bytes(8, "little"))
    path.write_bytes(body[:place] + (first + 128).to_bytes(8, "little") + body[place + 8 :])
    with pytest.raises(Corrupt, match="overlap"):
        keras_weights_h5.read(path)


def test_a_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(dense_config()))
        with archive.open("model.weights.h5", "w", force_zip64=True) as member:
            for _ in range(160):
                member.write(bytes(1 << 20))
    with pytest.raises(ResourceBomb, match=r"model\.weights\.h5"):
        keras_zip.read(path)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        pytest.param("{", "no JSON", id="half"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(
            '{"class_name": "Sequential", "config": {"layers": [' * 90 + "]}}" * 90,
            "nested more than",
            id="deep-models",
        ),
        pytest.param(
            sequential(layer("Trap", "t", deep=json.loads("[" * 500 + "]" * 500))),
            "makes no sense",
            id="deep-attribute",
        ),
        pytest.param("[]", "without a class name", id="list"),
        pytest.param(sequential(layer("Dense", "d", units="many")), "makes no sense", id="units"),
        pytest.param(
            sequential(layer("Conv2D", "c", filters=2, kernel_size={"a": 1})), "makes no sense", id="kernel"
        ),
        pytest.param(
            sequential(layer("Dense", "d", units=3), layer("Dense", "d", units=3)),
            "are called 'd'",
            id="twins",
        ),
    ],
)
def test_bad_configs(tmp_path: Path, config: Any, what: str) -> None:
    path = write_keras(tmp_path / "m.keras", config, dense_groups())
    with pytest.raises(Corrupt, match=what):
        keras_zip.read(path)


@pytest.mark.parametrize(
    ("calls", "what"),
    [
        pytest.param({"a": [["x"]], "b": [["c"]], "c": [["b"]]}, "circle through layer 'b'", id="cycle"),
        pytest.param({"a": [["x"]], "b": [["nowhere"]], "c": [["b"]]}, "fed by 'nowhere'", id="absent"),
        pytest.param({"a": [["x"], ["x"]], "b": [["a:7"]], "c": [["b"]]}, "call 7", id="absent-call"),
    ],
)
def test_bad_flow(tmp_path: Path, calls: dict[str, list[list[str]]], what: str) -> None:
    layers = [source("x", [4]), *(layer("Dense", name, units=4) for name in "abc")]
    path = write_keras(tmp_path / "m.keras", functional(layers, calls, [["c", 0, 0]]), dense_groups(4))
    with pytest.raises(Corrupt, match=what):
        keras_zip.read(path)


@pytest.mark.parametrize("left_out", ["config.json", "model.weights.h5"])
def test_missing_members(tmp_path: Path, left_out: str) -> None:
    whole, path = write_keras(tmp_path / "whole.keras", dense_config(), dense_groups()), tmp_path / "m.keras"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name != left_out:
                new.writestr(name, old.read(name))
    with pytest.raises(Corrupt, match=left_out):
        keras_zip.read(path)


def test_a_legacy_file_that_lists_what_it_does_not_hold(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "m.h5", {"d": {"d/kernel:0": numbers(2, 3), "d/bias:0": numbers(3)}})
    with h5py.File(path, "a") as file:
        del file["d/d/bias:0"]
    with pytest.raises(Corrupt, match="d/bias:0"):
        keras_h5.read(path)


def test_modules_that_a_config_names_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap_of_the_config.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = sequential(
        source("x", [4]), layer("Trap", "t", module="trap_of_the_config"), layer("Dense", "head", units=3)
    )
    graph = keras_zip.read(write_keras(tmp_path / "m.keras", config, dense_groups()))
    assert [(f.code, f.source) for f in graph.findings] == [("WB104", "t")]
    assert graph.by_name["t"].op == "Opaque"


def test_names_with_terminal_codes_stay_as_they_are(tmp_path: Path) -> None:
    name = "\x1b[31mred\x1b[0m"
    graph = keras_weights_h5.read(
        write_weights(tmp_path / "m.weights.h5", {"layers/dense": (name, dense_groups()["layers/dense"][1])})
    )
    assert graph.layers[0].name == name


@pytest.mark.parametrize("units", [2, -3, 2**62])
def test_a_width_that_the_weights_do_not_have(tmp_path: Path, units: int) -> None:
    graph = keras_zip.read(
        write_keras(tmp_path / "m.keras", dense_config(units=units), dense_groups(units=3))
    )
    assert [(f.code, f.source) for f in graph.findings] == [("WB904", "head")]
    assert f"units={units}" in graph.findings[0].message
    assert "(4, 3)" in graph.findings[0].message


def test_a_width_that_the_weights_have(tmp_path: Path) -> None:
    assert not keras_zip.read(write_keras(tmp_path / "m.keras", dense_config(), dense_groups())).findings


def test_weights_that_the_architecture_needs_and_the_file_lacks(tmp_path: Path) -> None:
    graph = keras_zip.read(write_keras(tmp_path / "m.keras", dense_config(), {"layers/dense": ("head", ())}))
    assert [(f.code, f.source) for f in graph.findings] == [("WB105", "head")]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("../m.weights.h5", ExternalReference),
        ("/etc/hostname", ExternalReference),
        ("absent.weights.h5", MissingFile),
        (7, ExternalReference),
    ],
)
def test_shards_outside_the_folder(tmp_path: Path, name: object, error: type[ModelError]) -> None:
    path = tmp_path / "m.weights.json"
    path.write_text(json.dumps({"weight_map": {"/layers/dense/vars": name}}))
    with pytest.raises(error):
        keras_weights_h5.read(path)


def test_a_keras_json_has_shapes_and_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(dense_config()))
    graph = keras_json.read(path)
    assert {t.name: t.shape for t in graph.tensors} == {"head/kernel": (4, 3), "head/bias": (3,)}
    assert [f.code for f in graph.findings] == ["WB105"]
    with pytest.raises(Unsupported, match="head/kernel"):
        graph.tensors[0].load()


def test_reading_touches_no_weight(tmp_path: Path) -> None:
    path = write_keras(tmp_path / "m.keras", dense_config(), dense_groups())
    graph = keras_zip.read(path)
    path.unlink()
    assert [t.shape for t in graph.tensors] == [(4, 3), (3,)]
    with pytest.raises(OSError):
        graph.tensors[0].load()


def test_a_spilled_member_goes_with_its_graph(tmp_path: Path) -> None:
    body = io.BytesIO()
    with h5py.File(body, "w") as file:
        fill_groups(file, dense_groups())
    graph = keras_zip.read(
        write_keras(tmp_path / "m.keras", dense_config(), dense_groups(), compression=zipfile.ZIP_DEFLATED)
    )
    spilled = Path(graph.tensors[0].load.dataset.region.path)  # type: ignore[attr-defined]
    assert np.array_equal(graph.tensors[0].load(), numbers(4, 3))
    assert spilled.exists()
    del graph
    assert not spilled.exists()
