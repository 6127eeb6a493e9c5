"""Real .tflite files and the same models in other formats: every tensor follows from its counterpart."""

from pathlib import Path

import numpy as np
import pytest
from test_bundles import SURE, carried

FACE, TINY = "P01_ultraface_slim", "P03_mlperf_tiny_vww_resnet"
FACE_TFLITE = f"{FACE}/tflite/pretrained/version-slim-320_without_postprocessing.tflite"
# P01's file was folded by another program, whose scores are 4e-5 from those of its model; the tensors
# without a norm are equal bit by bit, and another layer's would be as far as they are large.
CLOSE = 1e-3
RESNET = f"{TINY}/image_classification/pretrainedResnet"
MOBILENET = f"{TINY}/visual_wake_words/vww_96"


@pytest.mark.parametrize(
    ("source", "target", "count"),
    [
        pytest.param(f"{RESNET}.h5", f"{RESNET}.tflite", 20, id="Keras with norms"),
        pytest.param(f"{MOBILENET}.h5", f"{MOBILENET}_float.tflite", 56, id="Keras by channel"),
        pytest.param(
            f"{FACE}/models/onnx/version-slim-320_simplified.onnx", FACE_TFLITE, 84, id="ONNX without norms"
        ),
        pytest.param(
            f"{FACE}/models/onnx/version-slim-320_without_postprocessing.onnx",
            FACE_TFLITE,
            84,
            id="ONNX with norms",
        ),
    ],
)
def test_a_tflite_file_follows_from_its_model(
    shared_models: Path, source: str, target: str, count: int
) -> None:
    found = carried(shared_models, source, target)
    assert len(found.sure) == len(found.own) == count
    assert min(found.sure.values()) > SURE
    far = {n for n in found.sure if _distance(found.made[n], found.own[n]) > CLOSE}
    assert not far


def _distance(made: np.ndarray, own: np.ndarray) -> float:
    return float(np.abs(made - own).max() / np.abs(own).max())
