"""convert, verified: Keras loads what was written in a process of its own, and computes the same."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from keras_files import FIXTURES
from test_convert import CONVERTED, converted

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
LOADS = """
import sys, keras
for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    assert "weightbridge" not in sys.modules
    print(path, len(model.weights))
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("converted")
    return {name: folder / f"{i}.keras" for i, name in enumerate(CONVERTED)}


@pytest.mark.parametrize("name", CONVERTED)
def test_it_computes_what_the_older_keras_computed(name: str, outputs: dict[str, Path]) -> None:
    pytest.importorskip("tf_keras")
    code, report = converted(FIXTURES / "keras2" / name, outputs[name])
    assert (code, report["verification"]["mode"]) == (0, "actual")
    assert report["verification"]["evidence"]["reference"] == "tf_keras"
    assert not any(output["status"] == "differs" for output in report["verification"]["outputs"])


@pytest.mark.parametrize(
    "name", ["bidirectional.h5", "cells.h5", "nested_frozen.h5", "nested_twice.h5", "plain.h5"]
)
def test_a_legacy_file_is_loaded_by_keras_too(name: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "new.h5"
    code, report = converted(FIXTURES / "keras2" / name, output)
    assert (code, report["verification"]["mode"]) == (0, "actual"), report["findings"]
    outputs[f"legacy {name}"] = output


def test_keras_alone_loads_all_of_them(outputs: dict[str, Path]) -> None:
    written = [str(path) for path in outputs.values() if path.exists()]
    done = subprocess.run(
        [sys.executable, "-c", LOADS, *written], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == len(written)


def test_without_an_output_the_model_is_live() -> None:
    model = wb.convert(FIXTURES / "keras2" / "depthwise.h5", verify=False)
    assert type(model).__module__.startswith("keras.")
    assert model.count_params() > 0


@pytest.mark.parametrize("name", ["keras2_attention", "keras2_dense", "keras2_nested", "keras2_recurrent"])
def test_a_saved_model_is_compared_with_our_own_evaluator(name: str, tmp_path: Path) -> None:
    code, report = converted(FIXTURES / "tensorflow" / name, tmp_path / "new.keras")
    assert (code, report["verification"]["evidence"]["reference"]) == (0, "numpy")
    assert {control["result"] for control in report["verification"]["evidence"]["controls"]} <= {
        "failed",
        "skipped",
    }


@pytest.mark.parametrize("backend", ["tf", "th"])
def test_a_model_of_keras_1_gives_what_was_published(
    backend: str, tmp_path: Path, shared_models: Path
) -> None:
    import keras

    folder = shared_models / "P05_dl4j_simple_lstm_k1_k2" / "examples" / "simple_lstm"
    source = folder / f"simple_lstm_{backend}_keras_1_model.h5"
    assert converted(source, tmp_path / "new.keras")[0] == 0
    with h5py.File(folder / f"simple_lstm_{backend}_keras_1_inputs_and_outputs.h5") as file:
        x, expected = file["inputs/lstm_input_1"][()], file["predictions/dense_1"][()]
    model = keras.models.load_model(tmp_path / "new.keras")
    assert np.abs(model.predict(x, verbose=0) - expected).max() < 1e-5 * np.abs(expected).max()
