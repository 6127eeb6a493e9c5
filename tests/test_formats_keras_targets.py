"""Targets that are architectures: a Keras JSON gets its weights from the transfer."""

import json
from pathlib import Path

import numpy as np
import pytest
from keras_files import dense_config, dense_groups, write_keras, write_legacy

from weightbridge import api, formats
from weightbridge.errors import UsageError


def as_json(path: Path) -> Path:
    path.write_text(json.dumps({**dense_config(), "keras_version": "3.15.1"}), encoding="utf-8")
    return path


def test_a_target_may_lack_what_it_is_about_to_get(tmp_path: Path) -> None:
    given = write_keras(tmp_path / "a.keras", dense_config(), dense_groups())
    target = as_json(tmp_path / "b.json")
    assert not api.check(given, target).findings
    assert "WB105" in [f.code for f in api.check(target, given).findings]


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # TensorFlow under NumPy 2
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
@pytest.mark.parametrize("name", ["out.keras", "out.h5", "out.weights.h5", "out.safetensors"])
def test_a_json_target_is_written(tmp_path: Path, name: str) -> None:
    given = write_keras(tmp_path / "a.keras", dense_config(), dense_groups())
    report = api.transfer(given, as_json(tmp_path / "b.json"), output=tmp_path / name, verify=False)
    assert report.verdict == "pass"
    wanted = formats.read(given).tensor_by_name["head/kernel"].load()
    assert np.array_equal(formats.read(tmp_path / name).tensor_by_name["head/kernel"].load(), wanted)


@pytest.mark.framework
def test_an_older_model_called_keras_is_told_which_output_works(tmp_path: Path) -> None:
    config = dense_config()
    config["config"]["layers"][1]["config"]["time_major"] = False
    weights = {"head": {"head/kernel:0": dense_groups()["layers/dense"][1][0]}}
    weights["head"]["head/bias:0"] = dense_groups()["layers/dense"][1][1]
    target = write_legacy(tmp_path / "b.keras", weights, config, version="2.4.0")
    given = write_keras(tmp_path / "a.keras", dense_config(), dense_groups())
    with pytest.raises(UsageError, match=r"ends with \.h5"):
        api.transfer(given, target, output=tmp_path / "out.keras", verify=False)
    api.transfer(given, target, output=tmp_path / "out.h5", verify=False)
