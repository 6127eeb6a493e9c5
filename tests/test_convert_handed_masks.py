"""convert from ONNX to Keras: Keras's Masking masks all that stands behind it, which a source may not."""

from pathlib import Path

import numpy as np
import pytest
from onnx_samples import saved, values
from test_convert import classes_of, run

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
FLOATS = 1  # as ONNX numbers its types of elements
MASKED = [
    ("Equal", ["x", "zero"], ["same"], {}),
    ("Not", ["same"], ["other"], {}),
    ("Cast", ["other"], ["counted"], {"to": FLOATS}),
    ("ReduceMax", ["counted"], ["any"], {"axes": [2], "keepdims": 1}),
    ("Mul", ["x", "any"], ["kept"], {}),
    ("MatMul", ["kept", "kernel"], ["features"], {}),
]
BEHIND = {
    "nothing": ([("Tanh", ["features"], ["y"], {})], True),
    "a mean": ([("ReduceMean", ["features"], ["y"], {"axes": [1], "keepdims": 0})], False),
    "a softmax": ([("Softmax", ["features"], ["y"], {"axis": 1})], False),
    "a product": ([("Mul", ["features", "any"], ["y"], {})], False),
}


@pytest.mark.parametrize("behind", BEHIND)
def test_a_mask_is_handed_on_where_the_source_has_it(behind: str, tmp_path: Path) -> None:
    nodes, is_masking = BEHIND[behind]
    tensors = {"zero": np.float32(0.0).reshape(()), "kernel": values((3, 4))}
    saved(tmp_path / "m.onnx", [*MASKED, *nodes], tensors, {"x": ["n", 5, 3]}, ("y",))
    output = tmp_path / "m.keras"
    assert run(str(tmp_path / "m.onnx"), str(output), "--no-verify", "--quiet") == 0
    assert ("Masking" in classes_of(output)) == is_masking
