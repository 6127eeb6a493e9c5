"""Every layer class of Keras: written as ONNX, or refused with a way out that works."""

from pathlib import Path
from typing import Any

import pytest
from onnx_models import chain, randomised
from test_convert import converted, run

from weightbridge.converting.to_onnx.draw import builder_of
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.flow import Node

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]
REFUSED = frozenset(
    {
        *("AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D"),
        *("AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D"),
        *("HashedCrossing", "Hashing", "IntegerLookup"),
        *("StringLookup", "TextVectorization", "MelSpectrogram", "STFTSpectrogram"),
        *("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "Solarization"),
        *("MaxNumBoundingBoxes", "Pipeline", "Lambda"),
        *("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
    }
)
NO_LAYERS_OF_A_GRAPH = frozenset({"Layer", "Wrapper", "InputLayer", "StackedRNNCells"})


def test_each_class_is_written_or_known_to_be_refused() -> None:
    """A class that Keras adds stands in neither list until somebody has looked at it."""
    from keras import layers

    found = (one for one in vars(layers).values() if isinstance(one, type) and issubclass(one, layers.Layer))
    names = {one.__name__ for one in found} - NO_LAYERS_OF_A_GRAPH
    written = {name for name in names if builder_of(node(name)) is not None}
    assert len(written) > 90
    assert names - written == REFUSED & names


def node(class_name: str) -> Node:
    return Node("n", "n", ConfigLayer(name="n", class_name=class_name), (), "n", "")


def test_a_spectral_normalisation_is_its_layer(tmp_path: Path) -> None:
    from keras import layers as k

    source = tmp_path / "m.keras"
    randomised(chain((8, 8, 3), k.SpectralNormalization(k.Conv2D(4, 3)), k.Flatten())).save(source)
    code, report = converted(source, tmp_path / "m.onnx", "--fail-on", "error")
    assert (code, report["verdict"]) in ((0, "pass"), (0, "warn"))


def test_steps_of_convolutions_are_written_out(tmp_path: Path) -> None:
    """Every dimension; both ways; states; a sequence and its last step; strides, dilation, no bias."""
    from keras import Input, Model, layers

    line, image = Input((4, 9, 2)), Input((3, 6, 7, 2))
    sequence = layers.ConvLSTM1D(3, 3, strides=2, padding="same", return_sequences=True)(line)
    backwards = layers.ConvLSTM1D(
        2, 3, dilation_rate=2, recurrent_activation="hard_sigmoid", go_backwards=True
    )
    both = layers.Bidirectional(layers.ConvLSTM2D(2, (3, 2), use_bias=False, return_sequences=True))(image)
    states = layers.ConvLSTM2D(3, 2, strides=(2, 1), return_state=True)(both)
    source = tmp_path / "m.keras"
    randomised(Model([line, image], [backwards(sequence), *states])).save(source)
    code, report = converted(source, tmp_path / "m.onnx")
    assert (code, report["verdict"]) == (0, "pass")


@pytest.mark.parametrize("count", [None, 300], ids=["open", "many"])
def test_steps_without_a_small_number_are_refused(
    count: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from keras import layers as k

    source = tmp_path / "m.keras"
    chain((count, 4, 1), k.ConvLSTM1D(1, 2, name="memory")).save(source)
    assert run(str(source), str(tmp_path / "m.onnx")) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "memory has" in said
    assert "steps" in said


@pytest.mark.parametrize(("size", "code"), [(8, 0), (5, 4)], ids=["whole", "cut"])
def test_a_crop_that_cuts_in_inference_is_refused(size: int, code: int, tmp_path: Path) -> None:
    from keras import layers as k

    source = tmp_path / "m.keras"
    randomised(chain((8, 8, 3), k.RandomCrop(size, size), k.Conv2D(2, 3))).save(source)
    assert run(str(source), str(tmp_path / "m.onnx"), "--quiet") == code


def test_bins_and_categories_are_numbers(tmp_path: Path) -> None:
    """Each way to encode: one category, several, and how often each is there; and the bin of a number."""
    import keras
    from keras import layers as k

    one, more, size = keras.Input((1,), dtype="int32"), keras.Input((3,), dtype="int32"), keras.Input((2,))
    coded = [k.CategoryEncoding(6, mode)(more) for mode in ("multi_hot", "count", "one_hot")]
    bins = k.Embedding(4, 2)(k.Discretization([-0.5, 0.0, 0.7])(size))
    ends = [k.Dense(2)(x) for x in (k.CategoryEncoding(6, "one_hot")(one), *coded)]
    randomised(keras.Model([one, more, size], [*ends, bins])).save(tmp_path / "m.keras")
    code, report = converted(tmp_path / "m.keras", tmp_path / "m.onnx", "--opset", "13")
    assert (code, report["verification"]["mode"]) == (0, "actual"), report["findings"]
    assert len({output["name"] for output in report["verification"]["outputs"]}) == 5


def test_words_are_refused_and_the_model_behind_them_is_written(tmp_path: Path) -> None:
    """`--engine tf2onnx` writes no look-up: it is not what is said."""
    import keras
    from keras import layers as k

    lookup = k.StringLookup(vocabulary=["red", "green"])
    words = keras.Input((4,), dtype="string")
    ids = lookup(words)
    model: Any = keras.Model(words, k.Dense(2)(k.Flatten()(k.Embedding(4, 3)(ids))))
    model.save(tmp_path / "m.keras")
    code, report = converted(tmp_path / "m.keras", tmp_path / "m.onnx")
    (found,) = report["findings"]
    assert (code, found["code"]) == (4, "WB107")
    assert "StringLookup" in found["message"]
    assert "keras.Model(its output, model.outputs)" in found["fix"]
    keras.Model(ids, model.outputs).save(tmp_path / "behind.keras")
    assert converted(tmp_path / "behind.keras", tmp_path / "m.onnx")[0] == 0
