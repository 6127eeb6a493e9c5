"""Which builder draws which layer: by what it is, or by the source's class."""

from collections.abc import Mapping

from weightbridge.converting.from_graph import (
    activations,
    convolutions,
    dense,
    indexing,
    merging,
    norms,
    operations,
    pooling,
    products,
    recurrent,
    scales,
    spatial,
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
    **scales.BUILDERS,
    **spatial.BUILDERS,
    **views.BUILDERS,
}
OPAQUE: Mapping[str, Builder] = {
    **operations.CLASSES,
    **products.CLASSES,
}  # by the class of a layer that has no canonical op
BY_CLASS: Mapping[tuple[str, str], Builder] = {
    **{("Slice", name): builder for name, builder in indexing.CLASSES.items()},
}
