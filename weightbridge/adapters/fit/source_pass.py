"""One pass of the source, made as far as it is needed: every node runs once, over all inputs."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from weightbridge.adapters.fit.cuts import Cut
from weightbridge.errors import RunError
from weightbridge.formats.flow import Flow, Held
from weightbridge.model.tensors import Array


class SourcePass:
    """Values of the source's cuts. What no later node and no wanted cut reads is let go.

    times: how often each of the wanted is asked for at most.
    """

    def __init__(self, flow: Flow, x: Array, wanted: Iterable[Cut], times: int = 1) -> None:
        self._flow, self._next = flow, 0
        nodes = [node for cut in wanted for node in (cut.node, *cut.parts)]
        self._held = Held(flow, x, Counter(nodes * times))

    def values(self, cut: Cut) -> tuple[Array, Array]:
        """What the cut's activation reads, and what it gives; each as often as it is wanted."""
        while self._next <= cut.node:
            if not np.isfinite(self._held.run(self._next)).all():
                name = self._flow.nodes[self._next].name
                message = f"{name} gives NaN or Inf for the calibration inputs"
                raise RunError(message, where=self._flow.where, fix="look at these inputs and this layer")
            self._next += 1
        parts = [self._held.take(i) for i in cut.parts]
        before = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        return before, self._held.take(cut.node)
