"""Files that fuzzing found to end in a bug: each is refused with its code and its path."""

import json
from pathlib import Path

import pytest
from keras_files import dense_groups, layer, source, write_weights

import weightbridge as wb
from weightbridge.formats.containers import whole
from weightbridge.formats.hdf5.read import read_tree


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
