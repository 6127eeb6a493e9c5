"""Real Keras files: how many layers, tensors and parameters they have, and what is said about them."""

from pathlib import Path

import pytest

from weightbridge import formats

FILES = [
    ("P02_dtln/model.h5", "keras-h5-weights", 18, 20, 986753, set()),
    ("P03_mlperf_tiny_vww_resnet/image_classification/pretrainedResnet.h5", "keras-h5", 30, 48, 78666, set()),
    ("P03_mlperf_tiny_vww_resnet/visual_wake_words/vww_96.h5", "keras-h5", 85, 164, 221794, {"WB102"}),
    ("P04_face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5", "keras-h5", 46, 80, 58423, set()),
    ("P04_face_classification/tiny_XCEPTION_KDEF.hdf5", "keras-h5", 46, 80, 18314, set()),
    ("P04_face_classification/gender_mini_XCEPTION.21-0.95.hdf5", "keras-h5", 46, 80, 52658, set()),
    ("P04_face_classification/fer2013_big_XCEPTION.54-0.66.hdf5", "keras-h5", 29, 46, 208871, set()),
    (
        "P05_dl4j_simple_lstm_k1_k2/examples/simple_lstm/simple_lstm_tf_keras_1_model.h5",
        "keras-h5",
        3,
        14,
        10451,
        {"WB102", "WB103"},
    ),
    (
        "P05_dl4j_simple_lstm_k1_k2/examples/simple_lstm/simple_lstm_th_keras_1_model.h5",
        "keras-h5",
        3,
        14,
        10451,
        {"WB102", "WB103"},
    ),
    (
        "P05_dl4j_simple_lstm_k1_k2/examples/simple_lstm/simple_lstm_tf_keras_2_model.h5",
        "keras-h5",
        3,
        5,
        10451,
        {"WB102", "WB103"},
    ),
    (
        "P06_music_tagger_cnn_th_tf/music_tagger_cnn_weights_theano.h5",
        "keras-h5-weights",
        29,
        36,
        870154,
        {"WB102"},
    ),
    (
        "P06_music_tagger_cnn_th_tf/music_tagger_cnn_weights_tensorflow.h5",
        "keras-h5-weights",
        29,
        36,
        870154,
        {"WB102"},
    ),
    ("P08_teachable_machine/keras_model.h5", "keras-h5", 161, 263, 538708, {"WB102"}),
    ("P10_keras3_pack/pre_pr22362_nested_container.keras", "keras-zip", 4, 5, 58, {"WB104"}),
]


@pytest.mark.parametrize(
    ("name", "format", "layers", "tensors", "parameters", "codes"),
    FILES,
    ids=[Path(f[0]).name for f in FILES],
)
def test_real_files(
    shared_models: Path, name: str, format: str, layers: int, tensors: int, parameters: int, codes: set[str]
) -> None:
    graph = formats.read(shared_models / name)
    assert (graph.format, len(graph.layers), len(graph.tensors), graph.parameters) == (
        format,
        layers,
        tensors,
        parameters,
    )
    assert {f.code for f in graph.findings} == codes
    assert all(t.load().shape == t.shape for t in graph.tensors)
    assert len({t.name for t in graph.tensors}) == tensors


def test_every_weight_has_a_known_role(shared_models: Path) -> None:
    known = {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "recurrent_kernel"}
    known |= {"depthwise_kernel", "pointwise_kernel"}
    gates = {f"{role}_{gate}" for role in ("kernel", "recurrent_kernel", "bias") for gate in "ifco"}
    for name, *_ in FILES:
        assert {t.role for t in formats.read(shared_models / name).tensors} <= known | gates, name


def test_kernels_of_keras_1_and_theano_are_marked(shared_models: Path) -> None:
    folder = shared_models / "P06_music_tagger_cnn_th_tf"
    theano, tensorflow = (
        formats.read(folder / f"music_tagger_cnn_weights_{name}.h5").by_name["conv2"].attributes
        for name in ("theano", "tensorflow")
    )
    assert theano["kernel_axes"] == tensorflow["kernel_axes"] == "o i ..."
    assert theano["kernel_flipped"]
    assert "kernel_flipped" not in tensorflow
