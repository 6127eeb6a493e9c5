"""What a picture says of a layer.

Its op with the numbers that matter, its output shape and its colour.
"""

from collections.abc import Mapping
from typing import Any, Literal

from weightbridge.model.vocabulary import (
    BORDERS,
    CONVOLUTIONS,
    COPIES,
    DENSE,
    ELEMENTWISE_MERGES,
    IN_TRAINING,
    INPUT_SCALING,
    NORMS,
    POOLS,
    RECURRENT,
    VIEWS,
)
from weightbridge.report.words import dimensions

Json = Mapping[str, Any]
Family = Literal[
    "convolution",
    "dense",
    "recurrent",
    "attention",
    "normalization",
    "activation",
    "pooling",
    "merging",
    "shape",
    "input",
    "other",
]

FAMILIES: dict[Family, frozenset[str]] = {
    "convolution": CONVOLUTIONS,
    "dense": DENSE | {"Embedding"},
    "recurrent": RECURRENT,
    "attention": frozenset({"Attention"}),
    "normalization": NORMS | INPUT_SCALING,
    "activation": IN_TRAINING | {"Activation"},
    "pooling": POOLS | {"Resize"},
    "merging": ELEMENTWISE_MERGES | {"Concat", "Dot"},
    "shape": VIEWS | BORDERS | COPIES | {"Masking", "Repeat", "Slice"},
    "input": frozenset({"Input"}),
}
COLORS: dict[Family, str] = {
    "convolution": "#c6dbef",
    "dense": "#c7e9c0",
    "recurrent": "#fdd0a2",
    "attention": "#f2b6d2",
    "normalization": "#e5e0f3",
    "activation": "#fde0dd",
    "pooling": "#fff3b0",
    "merging": "#d0ece7",
    "shape": "#ececec",
    "input": "#ffffff",
    "other": "#f7d9c4",
}
_FAMILY_OF: dict[str, Family] = {op: family for family, ops in FAMILIES.items() for op in ops}


def family(op: str) -> Family:
    return _FAMILY_OF.get(op, "other")


def described(layer: Json) -> str:
    """`Conv 3x3/2 relu`, `Opaque Lambda`: the op or the unknown class, and what tells it from its like."""
    attributes = layer["attributes"]
    op = layer["op"] if layer["op"] != "Opaque" else f"Opaque {layer['class_name']}"
    parts = (op, _window(attributes), _activation(attributes))
    return " ".join(part for part in parts if part)


def shape(layer: Json) -> str:
    return dimensions(layer["output_shape"])


def _window(attributes: Json) -> str:
    """Kernel or pool size, and the stride where it is not 1."""
    size = _lengths(attributes.get("kernel_size") or attributes.get("pool_size"))
    strides = _lengths(attributes.get("strides"))
    if not size:
        return ""
    return "x".join(size) + _step(strides)


def _step(strides: list[str]) -> str:
    """2, 2 -> /2; nothing where it is 1."""
    distinct = set(strides)
    if distinct <= {"1"}:
        return ""
    return "/" + (strides[0] if len(distinct) == 1 else "x".join(strides))


def _lengths(value: Any) -> list[str]:
    return [str(n) for n in value] if isinstance(value, list) else []


def _activation(attributes: Json) -> str:
    value = attributes.get("activation")
    name = value[0] if isinstance(value, list) and value else value
    return name if isinstance(name, str) and name != "linear" else ""
