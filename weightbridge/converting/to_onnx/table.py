"""Which builder draws which layer: by what it is, or by its class."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx import (
    activations,
    convolutions,
    dense,
    merging,
    norms,
    pooling,
    views,
)
from weightbridge.converting.to_onnx.call import Builder

BY_OP: Mapping[str, Builder] = {
    **activations.BUILDERS,
    **convolutions.BUILDERS,
    **dense.BUILDERS,
    **merging.BUILDERS,
    **norms.BUILDERS,
    **pooling.BUILDERS,
    **views.BUILDERS,
}
BY_CLASS: Mapping[str, Builder] = {**norms.CLASSES}
