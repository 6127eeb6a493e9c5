"""Which builder draws which layer: by what it is, or by the source's class."""

from collections.abc import Mapping

from weightbridge.converting.from_graph import (
    activations,
    attended,
    blocks,
    convolutions,
    dense,
    indexing,
    masked,
    merging,
    normalized,
    norms,
    operations,
    picking,
    pooling,
    products,
    recurrent,
    reductions,
    repeating,
    resizing,
    scales,
    spatial,
    transposed,
    views,
)
from weightbridge.converting.from_graph.call import Builder

BY_OP: Mapping[str, Builder] = {
    **activations.BUILDERS,
    **convolutions.BUILDERS,
    **dense.BUILDERS,
    **indexing.BUILDERS,
    **merging.BUILDERS,
    **norms.BUILDERS,
    **operations.BUILDERS,
    **pooling.BUILDERS,
    **products.BUILDERS,
    **recurrent.BUILDERS,
    **repeating.BUILDERS,
    **resizing.BUILDERS,
    **scales.BUILDERS,
    **spatial.BUILDERS,
    **transposed.BUILDERS,
    **views.BUILDERS,
}
OPAQUE: Mapping[str, Builder] = {
    **attended.CLASSES,
    **blocks.CLASSES,
    **masked.CLASSES,
    **normalized.CLASSES,
    **operations.CLASSES,
    **picking.CLASSES,
    **products.CLASSES,
    **reductions.CLASSES,
    **repeating.CLASSES,
}  # by the class of a layer that has no canonical op
BY_CLASS: Mapping[tuple[str, str], Builder] = {
    **{("Slice", name): builder for name, builder in {**indexing.CLASSES, **picking.SLICES}.items()},
}
