"""A vector that becomes a map of channels first in ONNX, and of channels last in Keras's weights alone."""

from pathlib import Path

import numpy as np
import pytest
from keras_files import numbers, write_weights
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats

TENSORS = {
    "fc.weight": values((5, 32), 1),
    "fc.bias": values((32,), 2),
    "up.weight": values((8, 3, 4, 4), 3),
    "up.bias": values((3,), 4),
}
OPS: list[Op] = [
    ("Gemm", ["x", "fc.weight", "fc.bias"], ["f"], {}),
    ("Reshape", ["f", "map"], ["m"], {}),
    ("ConvTranspose", ["m", "up.weight", "up.bias"], ["y"], {"strides": [2, 2]}),
]
DENSE, UP = ("d", (numbers(5, 32), numbers(32))), ("t", (numbers(4, 4, 3, 8), numbers(3)))
TURNED = TENSORS["fc.weight"].reshape(5, 8, 2, 2).transpose(0, 2, 3, 1).reshape(5, 32)


@pytest.mark.parametrize("has_reshape", [True, False], ids=["the file lists the reshape", "it does not"])
def test_the_outputs_are_turned_or_in_doubt(tmp_path: Path, has_reshape: bool) -> None:
    source = saved(
        tmp_path / "s.onnx", OPS, {**TENSORS, "map": np.array([-1, 8, 2, 2])}, {"x": ["n", 5]}, ["y"]
    )
    between = {"layers/reshape": ("r", ())} if has_reshape else {}
    target = write_weights(
        tmp_path / "t.weights.h5", {"layers/dense": DENSE, **between, "layers/conv2d_transpose": UP}
    )
    made = wb.transfer(source, target, output=tmp_path / "o.weights.h5", verify=False, fail_on="never")
    kernel = next(s for s in made.plan.steps if s.sources == ("fc.weight",))
    found = {t.name: t.load() for t in formats.read(tmp_path / "o.weights.h5").tensors}
    assert np.array_equal(found[kernel.target], TURNED) is has_reshape
    assert (kernel.confidence <= 0.9) is not has_reshape
    assert ("WB404" in {f.code for f in made.findings}) is not has_reshape
