"""convert: a model of Keras 3 in Keras's other layout, or the same again: operations and constants stay."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from onnx_masked_models import functions
from onnx_models import randomised
from test_convert import converted
from test_to_onnx import inputs, outputs

from weightbridge import formats

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says


def both_apart() -> Any:
    """A setting that says something by being None."""
    from keras import Input, Model, layers

    x = Input((5, 3))
    return Model(x, list(layers.Bidirectional(layers.GRU(3), merge_mode=None)(x)))


def grouped() -> Any:
    from keras import Input, Model, layers

    x = Input((7, 8))
    return Model(x, layers.GroupQueryAttention(4, 4, 2)(x, x))


def arrays() -> Any:
    """Constants of several axes, of none, and of whole numbers."""
    from keras import Input, Model, ops

    x = Input((3, 4))
    y = ops.maximum(x, np.arange(12, dtype="float32").reshape(3, 4) / 9) * 2.0
    return Model(x, [ops.where(x > 0, y, x), ops.matmul(x, ops.transpose(y, (0, 2, 1))), y[:, 1:, 0], 1 - y])


def adapted() -> Any:
    from keras import Sequential, layers

    return Sequential(
        [layers.Input((9, 9, 2)), layers.AdaptiveAveragePooling2D(3), layers.Activation("celu")]
    )


def spectral() -> Any:
    """A wrapper that lists its layer's kernel among its own variables, before its vector u."""
    from keras import Sequential, layers

    convolution = layers.SpectralNormalization(layers.Conv2D(4, 3))
    dense = layers.TimeDistributed(layers.SpectralNormalization(layers.Dense(3)))
    return Sequential([layers.Input((9, 9, 2)), convolution, layers.Reshape((7, 28)), dense])


def renormed() -> Any:
    from keras import Sequential, layers

    return Sequential([layers.Input((9,)), layers.BatchNormalization(renorm=True, center=False)])


def heard() -> Any:
    """Layers of preprocessing, some of which have variables, and others that training alone asks for."""
    from keras import Sequential, layers

    spectrum = layers.STFTSpectrogram("imag", frame_length=16, frame_step=8, fft_length=16)
    hue = layers.RandomHue(0.1, (0, 1))
    return Sequential([layers.Input((64, 1)), spectrum, layers.Reshape((7, 3, 3)), hue, layers.MixUp()])


NEWER = (both_apart, grouped, arrays, adapted, spectral, renormed, heard)
MODELS: Mapping[str, Callable[[], Any]] = {f.__name__: f for f in NEWER}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_it_computes_the_same(suffix: str, tmp_path: Path) -> None:
    wrong = {}
    for name, build in MODELS.items():
        found = _apart(build, tmp_path / f"{name}.keras", tmp_path / f"{name}_new{suffix}")
        if found > 1e-6:
            wrong[name] = found
    assert not wrong


def test_a_kernel_that_is_stored_twice_is_written_twice(tmp_path: Path) -> None:
    import keras

    keras.backend.clear_session()
    source, output = tmp_path / "source.keras", tmp_path / "new.keras"
    randomised(spectral()).save(source)
    assert not [t.name for t in formats.read(source).tensors if t.role.startswith("var")]
    code, report = converted(source, output, "--no-verify")
    assert code == 0, report["findings"]
    for wrapper in ("spectral_normalization", "time_distributed/layer"):
        own, inner = (_stored(output, f"layers/{wrapper}/{place}vars") for place in ("", "layer/"))
        assert np.array_equal(own["0"], inner["0"])
        assert own["1"].any(), "training divides by what vector u finds"


def _stored(path: Path, group: str) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        return {name: dataset[()] for name, dataset in file[group].items()}


def test_operations_keep_what_they_are_called_with(tmp_path: Path) -> None:
    wrong = {}
    for name, build in functions().items():
        found = _apart(build, tmp_path / f"{name}.keras", tmp_path / f"{name}_new.keras")
        if found > 1e-6:
            wrong[name] = found
    assert not wrong


def _apart(build: Callable[[], Any], source: Path, output: Path) -> float:
    import keras

    keras.backend.clear_session()
    model = randomised(build())
    model.save(source)
    code, report = converted(source, output, "--no-verify")
    assert code == 0, (source.stem, report["findings"])
    given = inputs(model, 2)
    pairs = zip(outputs(model, given), outputs(keras.saving.load_model(output), given), strict=True)
    return max(float(np.abs(one - other).max() / (np.abs(one).max() + 1e-9)) for one, other in pairs)
