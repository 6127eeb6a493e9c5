"""Fused layers (query-key-value, gate-up) that the other side keeps apart.

One unit for each part, where the graph cuts the output.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import split
from weightbridge.model.tensors import Tensor

Transform = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """Output features `start` to `stop` of each of `groups` equal groups, of `width` in all. layers: those of
    the graph that hold them.
    """

    groups: int
    start: int
    stop: int
    width: int
    layers: tuple[str, ...]

    @property
    def length(self) -> int:
        return self.groups * (self.stop - self.start)

    def of(self, tensor: Tensor, axis: int) -> Tensor:
        """The tensor as a layer of this part alone would have it."""
        return replace(
            tensor, shape=tuple(self.length if i == axis else n for i, n in enumerate(tensor.shape))
        )

    def sliced(self, found: Transform, axis: int) -> Transform | None:
        """What a transform of that tensor is for the whole one; None for a transform by name."""
        pattern, lengths = found
        if pattern and "->" not in pattern:
            return None
        groups = {} if self.groups == 1 else {"groups": self.groups}
        return "slice", {
            "axis": axis,
            **groups,
            "start": self.start,
            "stop": self.stop,
            "pattern": pattern,
            **lengths,
        }


def _parts_of(layer: Layer, known: Mapping[int, int]) -> tuple[Part, ...]:
    """The parts of a fused layer, finer ones where the other side knows these alone. known: how many layers
    it has of each length.
    """
    given = layer.attributes.get("parts") or ()
    width = int(layer.attributes.get("units") or layer.attributes.get("filters") or 0)
    return tuple(_chosen(given, width, known)) if width else ()


def _chosen(given: Sequence[Mapping[str, Any]], width: int, known: Mapping[int, int]) -> Iterator[Part]:
    for one in given:
        part = Part(one["groups"], one["start"], one["stop"], width, tuple(one["layers"]))
        finer = tuple(_chosen(one.get("parts", ()), width, known))
        if finer and not known.get(part.length):
            yield from finer
        else:
            yield part


def output_axis(layer: Layer, tensor: Tensor) -> int | None:
    """The axis of a tensor that counts output features as it is stored; None where it is not known."""
    long = [i for i, n in enumerate(tensor.shape) if n > 1]
    if tensor.role != "kernel":
        return long[0] if len(long) == 1 else None
    names = split(tensor.axes)
    return names.index("o") if "o" in names else None


def divided(
    layers: Sequence[Layer], keys: Mapping[str, str], other: Counter[str]
) -> dict[str, tuple[Part, ...]]:
    """The fused layers to take apart.

    Those that the other side has fewer of, while it has all of their parts.

    keys: family and size of every layer with weights, as `family:size`; other: how many units the other side
    has of each.
    """
    own = Counter(keys.values())
    fused = (
        layer
        for layer in layers
        if "parts" in layer.attributes and other[keys.get(layer.name, "")] < own[keys.get(layer.name, "")]
    )
    found = {layer.name: _known_parts(layer, keys[layer.name], other) for layer in fused}
    return {name: parts for name, parts in found.items() if parts}


def _known_parts(layer: Layer, key: str, other: Counter[str]) -> tuple[Part, ...]:
    """The parts of a layer, () where the other side lacks one of their lengths."""
    family, size = _split(key)
    fan = size // int(layer.attributes.get("units") or layer.attributes.get("filters") or size)
    sizes = ((*_split(k), n) for k, n in other.items())
    known = {size // fan: n for name, size, n in sizes if name == family and size % fan == 0}
    parts = _parts_of(layer, known)
    return parts if all(known.get(p.length) for p in parts) else ()


def _split(key: str) -> tuple[str, int]:
    family, _, size = key.rpartition(":")
    return family, int(size)
