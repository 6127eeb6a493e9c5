"""A weight that is computed from stored tensors, and the table of a file's tensors that recipes look into."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from weightbridge.model.tensors import Computed, Tensor


@dataclass(slots=True)
class Parts:
    """The tensors of a file by name, and what recipes have made of them.

    made: name of a weight -> the weight. taken: the names that recipes have used. unknown: names of values
    that
    no weight can be computed from -> what is missing.
    """

    stored: Mapping[str, Tensor]
    made: dict[str, Tensor] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)  # stored name -> the weight that it is part of
    unknown: dict[str, str] = field(default_factory=dict)
    spare: set[str] = field(default_factory=set)  # state that belongs to no weight

    def get(self, name: str) -> Tensor | None:
        """The tensor as it is known so far: computed, or stored and not yet used."""
        if name in self.made:
            return self.made[name]
        return None if name in self.taken else self.stored.get(name)

    def make(self, name: str, transform: str, parameters: dict[str, Any], *parts: Tensor) -> None:
        """A weight of the shape of its first part, in place of all of them."""
        first = parts[0]
        dtype = first.dtype if is_plain(first.dtype) else "float32"
        for part in parts:
            self.taken[part.name] = name
        recipe = Computed(parts, transform, parameters)
        self.made[name] = replace(first, name=name, key=name, dtype=dtype, computed=recipe)

    def rename(self, name: str, tensor: Tensor) -> None:
        """A tensor under the name of the one that it stands for."""
        if name not in self.stored:
            self.make(name, "", {}, tensor)


def is_plain(dtype: str) -> bool:
    """Whether the numbers of this dtype are weights as they are."""
    return dtype in ("float16", "bfloat16", "float32", "float64")
