"""Formats are recognised by content; what cannot be read says what it is and what to do."""

import io
import json
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from onnx_samples import small

from weightbridge import formats
from weightbridge.errors import Corrupt, MissingFile, ModelError, UnsafeContent, Unsupported, UsageError
from weightbridge.formats.sniffing.suffixes import RENAME, SUFFIXES, suffix_findings

SEQUENTIAL = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": []}}).encode()


def zipped(*names: str) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return found.getvalue()


def hdf5(*groups: str, user_block: int = 0, **attributes: object) -> bytes:
    found = io.BytesIO()
    with h5py.File(found, "w", userblock_size=user_block) as file:
        for group in groups:
            file.create_group(group)
        for name, value in attributes.items():
            file.attrs[name] = value
    return found.getvalue()


def header(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


KNOWN: dict[str, tuple[bytes, str]] = {
    "keras zip": (zipped("metadata.json", "config.json", "model.weights.h5"), "keras-zip"),
    "torch zip": (zipped("archive/data.pkl", "archive/data/0"), "torch-zip"),
    "torch zip, flat": (zipped("data.pkl"), "torch-zip"),
    "torch legacy": (pickle.dumps(0x1950A86A20F9469CFC6C, 2), "torch-legacy"),
    "whole model": (hdf5("model_weights", model_config="{}"), "keras-h5"),
    "legacy weights": (hdf5("dense", layer_names=[b"dense"]), "keras-h5-weights"),
    "weights behind a user block": (
        hdf5("dense", user_block=512, layer_names=[b"dense"]),
        "keras-h5-weights",
    ),
    "keras 3 weights": (hdf5("layers/dense/vars"), "keras-weights-h5"),
    "keras 3 weights of a subclass": (hdf5("encoder/dense/vars"), "keras-weights-h5"),
    "keras json": (SEQUENTIAL, "keras-json"),
    "keras json behind blanks": (b"\n  " + SEQUENTIAL, "keras-json"),
    "keras shards": (
        b'{"metadata": {}, "weight_map": {"/layers/dense/vars": ["m_00000.weights.h5"]}}',
        "keras-weights-h5",
    ),
    "safetensors": (header(b"{}"), "safetensors"),
    "safetensors whose length begins like XML": (header(b"{}" + b" " * 58), "safetensors"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(20), "tflite"),
    "saved model": (b"\x08\x01\x12\x04\x0a\x02ab", "saved-model"),
    "checkpoint index": (b"a" * 40 + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", "tf-checkpoint"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_content_decides(tmp_path: Path, name: str) -> None:
    content, expected = KNOWN[name]
    for suffix in ("", ".onnx", ".h5"):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(content)
        assert formats.sniff(path) == expected


def test_onnx_is_known_by_its_structure(tmp_path: Path) -> None:
    assert formats.sniff(small(tmp_path / "model.bin")) == "onnx"


@pytest.mark.parametrize("age", [0, 3600], ids=["just written", "an hour old"])
def test_a_file_that_was_changed_is_looked_at_anew(tmp_path: Path, age: int) -> None:
    path = tmp_path / "model"
    json_file, safetensors = KNOWN["keras json"][0], header(b"{}").ljust(len(KNOWN["keras json"][0]))
    written = time.time_ns() - age * 1_000_000_000
    formats_seen = []
    for i, content in enumerate((json_file, safetensors)):
        path.write_bytes(content)
        os.utime(path, ns=(written, written + i * age))
        formats_seen += [formats.sniff(path), formats.sniff(path)]
    assert formats_seen == ["keras-json", "keras-json", "safetensors", "safetensors"]


STRANGE: dict[str, tuple[bytes, type[ModelError], str]] = {
    "empty": (b"", Corrupt, "empty"),
    "pickle": (pickle.dumps({"a": 1}), UnsafeContent, "pickle"),
    "old pickle": (pickle.dumps({"a": [1, 2]}, 0), UnsafeContent, "pickle"),
    "numpy zip": (zipped("x.npy"), Unsupported, "npz"),
    "other zip": (zipped("readme.txt"), Unsupported, "readme"),
    "cut zip": (zipped("config.json", "model.weights.h5")[:60], Corrupt, "zip"),
    "other hdf5": (hdf5("observations"), Unsupported, "observations"),
    "cut hdf5": (hdf5("layers/dense/vars")[:90], Corrupt, "HDF5"),
    "other json": (b'{"a": 1}', Unsupported, "'a'"),
    "cut json": (SEQUENTIAL[:30], Corrupt, "JSON"),
    "deep json": (b"[" * 200000, Corrupt, "JSON"),
    "index without its shards": (
        b'{"weight_map": {"a": "m-1.safetensors"}}',
        MissingFile,
        r"1 of 1 shards are not.*m-1\.safetensors",
    ),
    "old tar of torch": (b"storages".ljust(257, b"\0") + b"ustar" + bytes(250), Unsupported, "tar archive"),
    "web page": (b"<!DOCTYPE html><html>", Corrupt, "web page"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", Corrupt, "git lfs pull"),
    "array": (b"\x93NUMPY\x01\0" + bytes(40), Unsupported, "npy"),
    "gzip": (b"\x1f\x8b" + bytes(40), Unsupported, "gzip"),
    "nothing known": (b"\xfe\xed\xfa\xce" + bytes(40), Unsupported, "fe ed fa ce"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_model_says_what_it_is(tmp_path: Path, name: str) -> None:
    content, error, text = STRANGE[name]
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(error, match=text) as caught:
        formats.read(path)
    assert (caught.value.where, bool(caught.value.fix)) == (str(path), True)


def test_a_file_called_as_a_model_that_is_none_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\xfe\xed" * 20)
    with pytest.raises(Corrupt, match="fe ed"):
        formats.read(tmp_path / "m.onnx")


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UnsafeContent) as caught:
        formats.read(tmp_path / "m.pkl")
    assert caught.value.code == "WB901"
    assert not (tmp_path / "sprung").exists()


def folder(tmp_path: Path, *names: str) -> Path:
    found = tmp_path / "folder"
    found.mkdir()
    for name in names:
        (found / name).write_bytes(b"1")
    return found


@pytest.mark.parametrize(
    ("names", "error", "text"),
    [
        (("saved_model.pb", "variables"), Corrupt, r"saved_model\.pb"),
        (("model.index", "model.data-00000-of-00001"), Corrupt, r"model\.index"),
        (("a.safetensors", "b.safetensors"), MissingFile, r"such as a\.safetensors"),
        ((), MissingFile, "without a model"),
    ],
    ids=["saved model", "checkpoint", "two models in it", "empty"],
)
def test_folders(tmp_path: Path, names: tuple[str, ...], error: type[ModelError], text: str) -> None:
    with pytest.raises(error, match=text):
        formats.read(folder(tmp_path, *names))


def test_parts_of_a_checkpoint(tmp_path: Path) -> None:
    place = folder(tmp_path, "m.index", "m.data-00000-of-00001")
    assert formats.sniff(place / "m") == formats.sniff(place / "m.data-00000-of-00001") == "tf-checkpoint"


@pytest.mark.parametrize(
    "name", ["absent.h5", "a\0b", "x" * 5000, ""], ids=["absent", "zero", "long", "nothing"]
)
def test_paths_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingFile) as caught:
        formats.read(str(tmp_path / name) if name else "")
    assert caught.value.code == "WB905"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MissingFile, match="no regular file"):
        formats.read(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("name", "format", "says"),
    [
        ("m.weights.h5", "keras-h5-weights", True),
        ("m.weights.h5", "keras-h5", True),
        ("m.weights.h5", "keras-weights-h5", False),
        ("m.h5", "keras-h5-weights", False),
        ("m.HDF5", "keras-h5", False),
        ("m.h5", "keras-weights-h5", True),
        ("m.h5", "keras-zip", True),
        ("m.keras", "keras-h5", True),
        ("m.keras", "keras-zip", False),
        ("m.onnx", "onnx", False),
        ("m.onnx", "safetensors", True),
        ("m.json", "keras-json", False),
        ("m.weights.json", "keras-weights-h5", False),
        ("m.pt", "safetensors", True),
        ("m.bin", "safetensors", False),
        ("m", "onnx", False),
        (".tmp-m.h5.1", "keras-zip", False),
    ],
)
def test_a_suffix_that_says_something_else(name: str, format: str, says: bool) -> None:
    found = suffix_findings(Path(name), format)
    assert [f.code for f in found] == ["WB101"] * says
    if says:
        assert format in found[0].message
        assert RENAME[format] in found[0].fix


def test_every_readable_format_has_a_suffix() -> None:
    named = {f for allowed in SUFFIXES.values() for f in allowed}
    assert set(formats.FORMATS) - {"python"} <= named
    assert set(formats.RUNNERS) <= set(formats.FORMATS)


def test_the_finding_stands_in_the_graph(tmp_path: Path) -> None:
    assert [f.code for f in formats.read(small(tmp_path / "m.safetensors")).findings] == ["WB101"]
    assert not formats.read(small(tmp_path / "m.onnx")).findings


def test_weights_alone_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(
        header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}') + np.zeros(1, "f4").tobytes()
    )
    with pytest.raises(Unsupported, match="cannot be run"):
        formats.runner(tmp_path / "m.safetensors")


def test_arguments_are_for_callables(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="arguments"):
        formats.runner(object(), arguments={"a": 1})


def test_shared_models_are_what_their_manifest_says(shared_models: Path) -> None:
    listed = json.loads((shared_models / "MANIFEST.json").read_text())
    known = {*formats.FORMATS, "torch-zip", "torch-legacy", "saved-model", "tf-checkpoint", "tflite"}
    wrong = {
        entry["file"]: found
        for entry in listed
        if entry["format"] in known
        and (found := formats.sniff(shared_models / entry["file"])) != entry["format"]
    }
    assert not wrong


def test_what_a_model_holds_itself_is_no_norm(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        for place in ("vars/0", "vars/1", "layers/norm/vars/0", "layers/norm/vars/1"):
            file[place] = np.ones(4, "f4")
        file["vars"].attrs["name"] = "backbone"
    found = {layer.name: (layer.op, [t.role for t in layer.tensors]) for layer in formats.read(path).layers}
    assert found == {"backbone": ("Opaque", ["var0", "var1"]), "norm": ("LayerNorm", ["gamma", "beta"])}
