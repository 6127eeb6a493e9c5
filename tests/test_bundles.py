"""Real models that were published in several formats.

Both files hold the same weights, so the target's own values tell what is right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

import weightbridge as wb
from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.cli import main
from weightbridge.commands.stages.prepare import prepare
from weightbridge.transfer.execute import Ledger, values

SURE = 0.9  # above it a mapping is claimed
FACE, VOICE, MUSIC = "P01_ultraface_slim", "P02_dtln", "P06_music_tagger_cnn_th_tf"
PITCH, DIGITS, SERIES = "P09_basic_pitch", "P07_burn_mnist", "P05_dl4j_simple_lstm_k1_k2/examples/simple_lstm"
PTH, CHECKPOINT = f"{FACE}/models/pretrained/version-slim-320.pth", f"{FACE}/tf/export_models/slim/variables"
PLAIN, FOLDED = (
    f"{FACE}/models/onnx/version-slim-320_{kind}.onnx" for kind in ("without_postprocessing", "simplified")
)
ONE, TWO, H5, SAVED = (
    f"{VOICE}/{name}" for name in ("model_1.onnx", "model_2.onnx", "model.h5", "dtln_saved_model")
)
THEANO, TENSORFLOW = (f"{MUSIC}/music_tagger_cnn_weights_{name}.h5" for name in ("theano", "tensorflow"))
FACES_PTH, FACES_FOLDED = "P11_yunet/yunet_n.pth", "P11_yunet/yunet_n_320_320.onnx"
NMP, NMP_ONNX = f"{PITCH}/nmp", f"{PITCH}/nmp.onnx"
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Carried:
    """What a plan makes of the target beside the target's own values.

    sure: how sure it is of each tensor that has a source.
    """

    made: Arrays
    own: Arrays
    sure: Mapping[str, float]

    @property
    def wrong(self) -> set[str]:
        return {n for n in self.sure if not np.allclose(self.own[n], self.made[n], rtol=1e-4, atol=1e-5)}


def carried(folder: Path, source: str, target: str) -> Carried:
    made = prepare(str(folder / source), str(folder / target), Options())
    found = {t.name: v for t, v in values(made.plan, made.source, made.target, Ledger(), lambda *_: None)}
    sure = {s.target: s.confidence for s in made.plan.steps if s.sources}
    return Carried(found, {t.name: t.load() for t in made.target.tensors}, sure)


SAME = [
    *[(a, b, 159) for a in (PTH, PLAIN, CHECKPOINT) for b in (PTH, PLAIN, CHECKPOINT) if a != b],
    *[(a, FOLDED, 84) for a in (PTH, PLAIN)],
    *[(a, b, 8) for a, b in ((ONE, H5), (H5, ONE), (ONE, SAVED), (SAVED, ONE))],
    *[(a, b, 12) for a, b in ((TWO, H5), (H5, TWO), (TWO, SAVED), (SAVED, TWO))],
    *[(a, b, 20) for a, b in ((H5, SAVED), (SAVED, H5))],
    *[(a, b, 36) for a, b in ((THEANO, TENSORFLOW), (TENSORFLOW, THEANO))],
    (NMP, NMP_ONNX, 14),
    (FACES_PTH, FACES_FOLDED, 118),
]


@pytest.mark.parametrize(
    ("source", "target", "right"), SAME, ids=[f"{Path(a).name} to {Path(b).name}" for a, b, _ in SAME]
)
def test_all_that_both_files_hold_arrives(shared_models: Path, source: str, target: str, right: int) -> None:
    found = carried(shared_models, source, target)
    assert (len(found.sure), found.wrong) == (right, set())


def test_two_halves_of_a_model_fill_the_whole(shared_models: Path) -> None:
    halves = [set(carried(shared_models, half, H5).sure) for half in (ONE, TWO)]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == len(formats.read(shared_models / H5).tensors)


@pytest.mark.parametrize("half", [ONE, TWO], ids=["first half", "second half"])
def test_twins_that_order_alone_tells_apart_are_not_claimed(shared_models: Path, half: str) -> None:
    sure = carried(shared_models, half, H5).sure
    assert {n: c for n, c in sure.items() if n.startswith(("lstm_1/", "lstm_3/")) and c > SURE} == {}
    said = " ".join(
        f.message for f in wb.check(shared_models / half, shared_models / H5).findings if f.code == "WB204"
    )
    assert "lstm_1" in said
    assert "lstm_3" in said


def test_kernels_of_theano_are_turned_over(shared_models: Path) -> None:
    made = prepare(str(shared_models / THEANO), str(shared_models / TENSORFLOW), Options())
    assert sorted(s.target.split("/")[0] for s in made.plan.steps if s.transform == "flip") == [
        f"conv{n}" for n in range(1, 6)
    ]


def test_an_epsilon_that_no_file_tells_is_assumed_and_said(shared_models: Path) -> None:
    found = carried(shared_models, CHECKPOINT, FOLDED)
    assert max(found.sure[n] for n in found.wrong) <= SURE
    said = [
        f.message
        for f in wb.check(shared_models / CHECKPOINT, shared_models / FOLDED).findings
        if f.code == "WB305"
    ]
    assert said
    assert all("epsilon is not in the file" in message for message in said)


def scale_of(
    arrays: Arrays, norm: str, roles: tuple[str, ...], epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """What a BatchNorm does: the factor, and the sum for zero."""
    gamma, beta, mean, variance = (arrays[f"{norm}{role}"].astype(np.float64) for role in roles)
    scale = gamma / np.sqrt(variance + epsilon)
    return scale, beta - mean * scale


KERAS = ("/gamma", "/beta", "/moving_mean", "/moving_variance")
TORCH = (".weight", ".bias", ".running_mean", ".running_var")
BEHIND = [
    (NMP_ONNX, NMP, "conv2d_1/kernel", "conv2d_1/bias", "batch_normalization_2", KERAS, 1e-3, (1, 1, 1, -1)),
    (NMP_ONNX, NMP, "conv2d_4/kernel", "conv2d_4/bias", "batch_normalization_3", KERAS, 1e-3, (1, 1, 1, -1)),
    (FOLDED, PTH, "base_net.0.0.weight", "", "base_net.0.1", TORCH, 1e-5, (-1, 1, 1, 1)),
    (FOLDED, PTH, "base_net.12.3.weight", "", "base_net.12.4", TORCH, 1e-5, (-1, 1, 1, 1)),
]


@pytest.mark.parametrize(
    ("source", "target", "kernel", "bias", "norm", "roles", "epsilon", "axes"),
    BEHIND,
    ids=[f"{Path(b[1]).name} {b[4]}" for b in BEHIND],
)
def test_a_folded_batchnorm_leaves_the_same_function(
    shared_models: Path,
    source: str,
    target: str,
    kernel: str,
    bias: str,
    norm: str,
    roles: tuple[str, ...],
    epsilon: float,
    axes: tuple[int],
) -> None:
    found = carried(shared_models, source, target)
    sides = []
    for arrays in (found.own, found.made):
        scale, shift = scale_of(arrays, norm, roles, epsilon)
        sides.append((arrays[kernel] * scale.reshape(axes), shift + scale * (arrays[bias] if bias else 0.0)))
    for own, made in zip(*sides, strict=True):
        np.testing.assert_allclose(made, own, rtol=1e-4, atol=1e-5)


def test_a_batchnorm_of_one_channel_comes_back_from_a_product_and_a_sum(shared_models: Path) -> None:
    found = carried(shared_models, NMP_ONNX, NMP)
    for own, made in zip(
        *(scale_of(a, "batch_normalization", KERAS, 1e-3) for a in (found.own, found.made)), strict=True
    ):
        np.testing.assert_allclose(made, own, rtol=1e-5)
    assert len(found.sure) == 14
    assert not {n for n in found.wrong if not n.startswith(("batch_normalization", "conv2d_1/", "conv2d_4/"))}


MNIST = [
    (a, b)
    for a in ("mnist.pt", "mnist.safetensors", "mnist.onnx")
    for b in ("mnist.pt", "mnist.safetensors", "mnist.onnx")
    if a != b
]


@pytest.mark.parametrize(("source", "target"), MNIST, ids=[f"{a} to {b}" for a, b in MNIST])
def test_other_weights_of_one_architecture_match_and_are_not_called_equal(
    shared_models: Path, source: str, target: str
) -> None:
    found = carried(shared_models, f"{DIGITS}/{source}", f"{DIGITS}/{target}")
    assert len(found.sure) == len(found.own) == 18
    assert len(found.wrong) == 17  # two trainings: only running statistics that were never touched agree


@pytest.mark.framework
@pytest.mark.parametrize(("source", "target"), MNIST, ids=[f"{a} and {b}" for a, b in MNIST])
def test_two_files_of_which_one_cannot_run_prove_nothing(
    shared_models: Path, source: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", *(str(shared_models / DIGITS / name) for name in (source, target))])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 3
    assert "WB504" in said
    assert "holds weights and no graph, so it cannot be run" in said


@pytest.mark.framework
def test_other_weights_that_can_run_are_told_apart(shared_models: Path, tmp_path: Path) -> None:
    theirs, mine = shared_models / DIGITS / "mnist.onnx", tmp_path / "mine.onnx"
    moved = wb.transfer(shared_models / DIGITS / "mnist.pt", theirs, output=mine)
    assert moved.verification.mode == "read-back"
    assert wb.verify(theirs, theirs).verdict == "pass"
    report = wb.verify(theirs, mine)
    assert report.verdict == "fail"
    assert "WB401" in {f.code for f in report.findings}


ITSELF = [
    "P03_mlperf_tiny_vww_resnet/image_classification/pretrainedResnet.h5",
    "P03_mlperf_tiny_vww_resnet/visual_wake_words/vww_96.h5",
    "P04_face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5",
    "P04_face_classification/tiny_XCEPTION_KDEF.hdf5",
    "P04_face_classification/gender_mini_XCEPTION.21-0.95.hdf5",
    "P04_face_classification/fer2013_big_XCEPTION.54-0.66.hdf5",
    f"{SERIES}/simple_lstm_tf_keras_1_model.h5",
    f"{SERIES}/simple_lstm_th_keras_1_model.h5",
    f"{SERIES}/simple_lstm_tf_keras_2_model.h5",
    THEANO,
    TENSORFLOW,
    "P08_teachable_machine/keras_model.h5",
    "P10_keras3_pack/pre_pr22362_nested_container.keras",
    "P10_keras3_pack/model.pth",
]


@pytest.mark.parametrize(
    "name", [n for n in ITSELF if not n.endswith(".pth")], ids=lambda name: Path(name).name
)
def test_a_file_goes_into_itself_unchanged(shared_models: Path, tmp_path: Path, name: str) -> None:
    path = shared_models / name
    output = tmp_path / path.name
    report = wb.transfer(path, path, output=output, verify=False, fail_on="never")
    assert {s["kind"] for s in report.to_json()["steps"]} == {"copy"}
    own, copied = ({t.name: t for t in formats.read(p).tensors} for p in (path, output))
    assert own.keys() == copied.keys()
    assert all(np.array_equal(own[n].load(), copied[n].load(), equal_nan=True) for n in own)


@pytest.mark.parametrize("name", ITSELF, ids=lambda name: Path(name).name)
def test_inspecting_says_what_a_file_holds(
    shared_models: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(shared_models / name), "--fail-on", "never"])
    captured = capsys.readouterr()
    assert ended.value.code in (0, None)
    assert "parameters" in captured.out
    assert "Traceback" not in captured.err


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # TensorFlow under NumPy 2
@pytest.mark.parametrize("name", ["tf_keras_1", "th_keras_1"])
def test_an_lstm_of_keras_1_gives_the_recorded_predictions_again(shared_models: Path, name: str) -> None:
    import keras

    def older(x: object) -> object:
        return keras.ops.clip(0.2 * x + 0.5, 0, 1)

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((1, 1)), layers.LSTM(50, recurrent_activation=older), layers.Dense(1)]
    )
    with h5py.File(shared_models / SERIES / f"simple_lstm_{name}_inputs_and_outputs.h5") as file:
        inputs, expected = file["inputs/lstm_input_1"][()], file["predictions/dense_1"][()]
    wb.transfer(shared_models / SERIES / f"simple_lstm_{name}_model.h5", model, fail_on="never")
    np.testing.assert_allclose(model(inputs).numpy(), expected, rtol=1e-4, atol=1e-4)
