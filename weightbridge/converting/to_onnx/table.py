"""Which builder draws which layer: by what it is, or by its class."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx import (
    activations,
    attention,
    convolutions,
    convolved_steps,
    dense,
    directions,
    encodings,
    indexing,
    merging,
    norms,
    operations,
    pooling,
    recurrent,
    scales,
    timesteps,
    views,
)
from weightbridge.converting.to_onnx.call import Builder

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
