"""A group of nodes that computes one value from another, and the known function that it is."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Node

CLOSE = 1e-4  # constants in files are rounded to float32, and some writers round sqrt(2 / pi) further


@dataclass(frozen=True, slots=True)
class Steps:
    """Nodes that compute one value from `root`.

    scalars: the numbers they read. constants: the shapes of those whose values are not looked at.
    """

    nodes: tuple[Node, ...]
    root: str
    scalars: Mapping[str, float]
    constants: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Function:
    """A known layer, its attributes, and which constant has which role."""

    op: str
    attributes: Mapping[str, Any]
    roles: tuple[tuple[str, str], ...] = field(default=())
