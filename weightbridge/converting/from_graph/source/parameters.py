"""Which constants of a file were parameters: Keras trains those, and leaves the others as they are.

An ONNX file keeps parameters, buffers and numbers of the code alike. What its exporter named as a constant,
and what no training makes (grids of whole and half numbers, masks), is none.
"""

import re

import numpy as np

from weightbridge.converting.from_graph.call import Call
from weightbridge.model.tensors import Tensor

FIXED = "constants that no training has made are weights of an EinsumDense that Keras does not train"
# `/Constant_3_output_0` (TorchScript), `lifted_tensor_0` (dynamo), `sub/y:0` (TensorFlow)
OF_EXPORTERS = re.compile(
    r"(^|[/_.:])(Constant(_\d+)?(_output_\d+)?|_?tensor_constant\d*|lifted_tensor_\d+|[xy](:0)?)$"
)
STEP = 0.5  # of a grid of pixels and their centres


def trained(call: Call, tensor: Tensor, sentence: str, layer: str) -> bool:
    """Whether the layer is trained, which is said. layer: its name in Keras."""
    is_changed = is_trained(tensor)
    call.writer.rewrote(sentence if is_changed else FIXED, layer)
    if not is_changed:
        call.writer.fix(layer)
    return is_changed


def is_trained(tensor: Tensor) -> bool:
    return not (OF_EXPORTERS.search(tensor.name) or _is_grid(tensor))


def _is_grid(tensor: Tensor) -> bool:
    """Whether all are multiples of one half, and not all the same: a new parameter may be all ones."""
    values = np.asarray(tensor.load(), np.float64)
    has_steps = bool(np.array_equal(values / STEP, np.round(values / STEP)))
    return has_steps and bool(values.size) and values.min() != values.max()
