"""Which builder draws which layer: by what it is, or by the source's class."""

from collections.abc import Mapping

from weightbridge.converting.from_graph import (
    activations,
    convolutions,
    dense,
    merging,
    norms,
    pooling,
    scales,
    spatial,
    views,
)
from weightbridge.converting.from_graph.call import Builder

BY_OP: Mapping[str, Builder] = {
    **activations.BUILDERS,
    **convolutions.BUILDERS,
    **dense.BUILDERS,
    **merging.BUILDERS,
    **norms.BUILDERS,
    **pooling.BUILDERS,
    **scales.BUILDERS,
    **spatial.BUILDERS,
    **views.BUILDERS,
}
BY_CLASS: Mapping[str, Builder] = {}
