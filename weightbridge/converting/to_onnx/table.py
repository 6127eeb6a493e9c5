"""Which builder draws which layer: by what it is, or by its class."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx.call import Builder
from weightbridge.converting.to_onnx.functions import indexing, operations
from weightbridge.converting.to_onnx.layers import (
    activations,
    attention,
    convolutions,
    dense,
    encodings,
    merging,
    norms,
    pooling,
    scales,
    views,
)
from weightbridge.converting.to_onnx.sequences import convolved_steps, directions, recurrent, timesteps

BY_OP: Mapping[str, Builder] = {
    **activations.BUILDERS,
    **attention.BUILDERS,
    **convolutions.BUILDERS,
    **dense.BUILDERS,
    **merging.BUILDERS,
    **norms.BUILDERS,
    **pooling.BUILDERS,
    **recurrent.BUILDERS,
    **views.BUILDERS,
}
BY_CLASS: Mapping[str, Builder] = {
    **attention.CLASSES,
    **convolved_steps.CLASSES,
    **norms.CLASSES,
    **directions.CLASSES,
    **encodings.CLASSES,
    **recurrent.CLASSES,
    **scales.CLASSES,
    **timesteps.CLASSES,
    **views.CLASSES,
}
BY_OPERATION: Mapping[str, Builder] = {**operations.OPERATIONS, **indexing.OPERATIONS}
