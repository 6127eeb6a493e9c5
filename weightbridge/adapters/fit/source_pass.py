"""One pass of the source, made as far as it is needed: every node runs once, over all inputs."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from weightbridge.adapters.fit.cuts import Cut
from weightbridge.formats.flow import Flow, Held
from weightbridge.model.tensors import Array


class SourcePass:
    """Values of the source's cuts. What no later node and no wanted cut reads is let go."""

    def __init__(self, flow: Flow, x: Array, wanted: Iterable[Cut]) -> None:
        self._next = 0
        self._held = Held(flow, x, Counter(node for cut in wanted for node in (cut.node, *cut.parts)))

    def values(self, cut: Cut) -> tuple[Array, Array]:
        """What the cut's activation reads, and what it gives; each wanted cut may be asked for once."""
        while self._next <= cut.node:
            self._held.run(self._next)
            self._next += 1
        parts = [self._held.take(i) for i in cut.parts]
        before = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        return before, self._held.take(cut.node)
