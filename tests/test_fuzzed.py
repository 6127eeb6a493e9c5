"""Files that fuzzing found to end in a bug: each is refused with its code and its path."""

import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from keras_files import dense_config, dense_groups, layer, source, write_keras, write_weights
from onnx_samples import model, saved, values

import weightbridge as wb
from weightbridge.boundary.files import write_text
from weightbridge.formats.containers import whole
from weightbridge.formats.hdf5.read import read_tree

fcntl = pytest.importorskip("fcntl")


def test_a_nested_model_that_gives_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    inner = layer("Functional", "inner", layers=[], input_layers=[], output_layers=[])
    called = layer(
        "Functional", "m", layers=[source("x", [4]), {**inner, "inbound_nodes": [[["x", 0, 0, {}]]]}]
    )
    called["config"] |= {"input_layers": [["x", 0, 0]], "output_layers": [["inner", 0, 0]]}
    path.write_text(json.dumps(called))
    with pytest.raises(wb.WeightbridgeError) as raised:
        wb.read(path)
    assert raised.value.code == "WB904"
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("name", [{}, [["x"]], None, 7], ids=str)
def test_a_map_of_shards_with_nonsense_is_refused(tmp_path: Path, name: object) -> None:
    path = tmp_path / "w.weights.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": {"/layers/dense/vars": name}}))
    with pytest.raises(wb.WeightbridgeError) as raised:
        wb.read(path)
    assert raised.value.code in ("WB902", "WB904")
    assert str(path) in str(raised.value)


def test_a_dtype_that_is_no_text_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": [], "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(wb.WeightbridgeError) as raised:
        wb.read(path)
    assert raised.value.code == "WB904"


def test_a_text_that_became_a_list_is_not_read(tmp_path: Path) -> None:
    """HDF5 can crash, and the process with it, where such an attribute is read."""
    path = write_weights(tmp_path / "m.weights.h5", dense_groups())
    data = path.read_bytes()
    text, listed = b"\x19\x01", b"\x19\x00"  # a type of variable length (9, version 1): of a text, of a list
    assert text in data
    path.write_bytes(data.replace(text, listed))
    place = read_tree(whole(path)).group("layers/dense/vars")
    assert place
    assert place.attributes == {"name": None}
    assert {layer.name for layer in wb.read(path).layers} == {"dense"}


def with_member(path: Path, change: Callable[[bytearray, zipfile.ZipInfo], None]) -> Path:
    """A `.keras` file with deflated members, whose config.json is changed behind zipfile's back."""
    write_keras(path, dense_config(), dense_groups(), compression=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("config.json")
    data = bytearray(path.read_bytes())
    change(data, info)
    path.write_bytes(data)
    return path


def bad_stream(data: bytearray, info: zipfile.ZipInfo) -> None:
    start = info.header_offset + 30 + len(info.filename)
    data[start : start + 8] = b"\xff" * 8


def other_size(declared: int) -> Callable[[bytearray, zipfile.ZipInfo], None]:
    def change(data: bytearray, info: zipfile.ZipInfo) -> None:
        at = data.index(b"PK\x01\x02")
        while data[at + 46 : at + 46 + len(info.filename)] != info.filename.encode():
            at = data.index(b"PK\x01\x02", at + 1)
        data[at + 24 : at + 28] = declared.to_bytes(4, "little")

    return change


@pytest.mark.parametrize(
    "change", [bad_stream, other_size(7), other_size(40_000_000)], ids=["stream", "less", "more"]
)
def test_a_broken_member_of_an_archive_is_refused(
    tmp_path: Path, change: Callable[[bytearray, zipfile.ZipInfo], None]
) -> None:
    path = with_member(tmp_path / "m.keras", change)
    with pytest.raises(wb.WeightbridgeError) as raised:
        wb.read(path)
    assert raised.value.code == "WB904"
    assert str(path) in str(raised.value)


def test_a_member_that_declares_little_is_not_unpacked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(200 << 20))
    data = bytearray(path.read_bytes())
    other_size(1000)(data, zipfile.ZipFile(path).getinfo("config.json"))
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(wb.WeightbridgeError):
        wb.read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


@pytest.mark.parametrize(
    ("ir", "opset", "codes"),
    [(8, 17, []), (99, 17, ["WB107"]), (8, None, ["WB107"]), (8, 900, ["WB107"]), (2, None, [])],
    ids=["known", "unknown ir", "no opset", "unknown opset", "before opsets"],
)
def test_versions_of_onnx_that_are_not_known_are_said(
    tmp_path: Path, ir: int, opset: int | None, codes: list[str]
) -> None:
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {"w": values((4, 3))}, {"x": ["n", 4]}, ["y"])
    proto.ir_version = ir
    del proto.opset_import[:]
    if opset:
        proto.opset_import.append(onnx.helper.make_opsetid("", opset))
    onnx.save(proto, tmp_path / "m.onnx")
    assert [f.code for f in wb.read(tmp_path / "m.onnx").findings] == codes


def test_a_zero_character_in_a_name_is_refused(tmp_path: Path) -> None:
    proto = model([("MatMul", ["x", "a\0b"], ["y"], {})], {"a\0b": values((4, 3))}, {"x": ["n", 4]}, ["y"])
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(wb.WeightbridgeError) as raised:
        wb.read(tmp_path / "m.onnx")
    assert raised.value.code == "WB904"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\x7fb", "\u202eab", "tab\tb"], ids=ascii)
def test_other_control_characters_in_names_are_transferred(tmp_path: Path, name: str) -> None:
    ops = [("MatMul", ["x", name], ["y"], {})]
    paths = [
        saved(tmp_path / f"{i}.onnx", ops, {name: values((4, 3), i)}, {"x": ["n", 4]}, ["y"]) for i in (0, 1)
    ]
    wb.transfer(paths[0], paths[1], output=tmp_path / "o.onnx", verify=False)
    (written,) = wb.read(tmp_path / "o.onnx").tensors
    assert np.array_equal(written.load(), values((4, 3), 0))


def test_files_are_synced_through_a_handle_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows syncs no other."""
    modes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda d: modes.append(fcntl.fcntl(d, fcntl.F_GETFL) & os.O_ACCMODE))
    write_text(tmp_path / "t.txt", "text", overwrite=False)
    assert modes == [os.O_RDWR]
