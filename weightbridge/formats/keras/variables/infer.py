"""What a layer is where no config says: by its variables' names, else by its group and the shapes."""

import re
from dataclasses import dataclass
from math import prod
from typing import Any

from weightbridge.formats.keras.architecture.classes import BY_GROUP, CLASSES, roles
from weightbridge.formats.keras.architecture.windows import DIMENSIONS, rank_of
from weightbridge.model.vocabulary import DENSE, NORMS, RECURRENT, SINGLE_KERNEL_CONVOLUTIONS

Shapes = tuple[tuple[int, ...], ...]
UNTIED = {"tie_weights": False}
GATES = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}
MATRIX = 2
SIGNATURES: tuple[tuple[frozenset[str], str], ...] = (  # one of these roles tells the class
    (frozenset({"moving_mean", "moving_variance"}), "BatchNormalization"),
    (frozenset({"embeddings"}), "Embedding"),
    (frozenset({"alpha"}), "PReLU"),
    (frozenset({"mean", "variance"}), "Normalization"),
)
HINTS: tuple[
    tuple[str, str], ...
] = (  # a word in an attribute's name -> what it is called for, if the shapes agree
    ("embed", "Embedding"),
    ("batch_norm", "BatchNormalization"),
    ("layernorm", "LayerNormalization"),
    ("layer_norm", "LayerNormalization"),
    ("depthwise", "DepthwiseConv2D"),
    ("transpose", "Conv2DTranspose"),
)


@dataclass(frozen=True, slots=True)
class Guess:
    """A class, and the role of each variable in the order given."""

    class_name: str
    roles: tuple[str, ...]

    @property
    def op(self) -> str:
        return CLASSES[self.class_name].op if self.class_name in CLASSES else "Opaque"


def guess(names: tuple[str, ...], shapes: Shapes, hint: str) -> Guess:
    """A layer's class and the roles of its variables.

    names: the variables' roles where the file has them, else `var0`, ...; hint: the layer's or group's name.
    """
    if _is_dense(dict(zip(names, shapes, strict=True))):
        names = tuple("kernel" if name == "weight" else name for name in names)
    known = _by_roles(frozenset(names), dict(zip(names, shapes, strict=True)), hint)
    if known:
        return Guess(known, names)
    if any(not re.fullmatch(r"var\d+", n) for n in names):
        return Guess("", names)
    return _by_shapes(names, shapes, hint)


def _is_dense(shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether a custom layer's matrix `weight` has a bias for each of its columns, as in Keras."""
    weight, bias = shapes.get("weight", ()), shapes.get("bias", ())
    return (
        shapes.keys() == {"weight", "bias"} and len(weight) == MATRIX and prod(bias) == bias[-1] == weight[1]
    )


def class_of_group(group: str) -> str:
    """The class that an automatic name or storage group stands for (`conv2d_1` -> `Conv2D`), or ""."""
    return BY_GROUP.get(re.sub(r"_\d+$", "", group.lower()), "")


def _by_roles(names: frozenset[str], shapes: dict[str, tuple[int, ...]], hint: str) -> str:
    for group, found in SIGNATURES:
        if names & group:
            return found
    if any(n.startswith("recurrent_kernel_") for n in names):
        return "LSTM" if "kernel_c" in names else "GRU"
    if "recurrent_kernel" in names and len(shapes.get("kernel", ())) == MATRIX:
        return GATES.get(shapes["kernel"][-1] // max(shapes["recurrent_kernel"][0], 1), "")
    separate = next((n for n in ("pointwise_kernel", "depthwise_kernel") if n in names), "")
    if separate:
        return f"{'Separable' if separate[0] == 'p' else 'Depthwise'}Conv{len(shapes[separate]) - MATRIX}D"
    if names in ({"gamma", "beta"}, {"gamma"}):
        return _norm(names, hint)
    return _by_kernel(shapes, hint) if "kernel" in names and names <= {"kernel", "bias"} else ""


def _norm(names: frozenset[str], hint: str) -> str:
    if "group" in hint.rsplit("/", 1)[-1]:
        return "GroupNormalization"
    return "RMSNormalization" if "beta" not in names and "rms" in hint else "LayerNormalization"


def _by_kernel(shapes: dict[str, tuple[int, ...]], hint: str) -> str:
    kernel, bias = shapes["kernel"], shapes.get("bias")
    told = class_of_group(hint.rsplit("/", 1)[-1])
    if told and CLASSES[told].op in SINGLE_KERNEL_CONVOLUTIONS | DENSE and _agrees(told, kernel):
        return told
    if len(kernel) == 2:  # inputs, units
        return "Dense"
    if len(kernel) == 3 and (
        (bias is not None and len(bias) == MATRIX)
        or re.search(r"query|key|value|attention|output_dense", hint)
    ):
        return "EinsumDense"
    if len(kernel) not in (3, 4, 5):
        return ""
    rank = len(kernel) - 2
    if rank < 3 and ("depthwise" in hint or "dw" in hint.split("_")):
        return f"DepthwiseConv{rank}D"
    turned = "transpose" in hint or (
        bias is not None and bias[-1:] != kernel[-1:] and bias[-1:] == kernel[-2:-1]
    )
    return f"Conv{rank}DTranspose" if turned else f"Conv{rank}D"


def _agrees(class_name: str, kernel: tuple[int, ...]) -> bool:
    if DIMENSIONS.search(class_name):
        return len(kernel) == rank_of(class_name) + 2
    return len(kernel) == MATRIX or class_name == "EinsumDense"


def _by_shapes(names: tuple[str, ...], shapes: Shapes, hint: str) -> Guess:
    """Variables without names: the class by the group's name, else by the shapes."""
    last = hint.rsplit("/", 1)[-1].lower()
    for told in (class_of_group(last), *(found for word, found in HINTS if word in last)):
        for config in _variants(told) if told else ():
            expected = roles(told, config) or ()
            if len(expected) == len(shapes) and _fits(told, expected, shapes):
                return Guess(told, expected)
    expected = _bare(shapes)
    if expected:
        found = _by_roles(frozenset(expected), dict(zip(expected, shapes, strict=True)), hint.lower())
        return Guess(found, expected if found else names)
    return Guess("", names)


def _variants(class_name: str) -> tuple[dict[str, Any], ...]:
    """Configs that leave optional variables out, the commonest first."""
    alone: tuple[dict[str, Any], ...] = ({"scale": False}, {"center": False})
    alone = alone if CLASSES[class_name].op == "BatchNorm" else alone[::-1]
    return (
        {},
        {"use_bias": False},
        {"bias_axes": "x"},
        *alone,
        {"scale": False, "center": False},
        {"rms_scaling": True},
        UNTIED,
    )


def _fits(class_name: str, expected: tuple[str, ...], shapes: Shapes) -> bool:
    op, by_role = CLASSES[class_name].op, dict(zip(expected, shapes, strict=True))
    if op in NORMS:
        return len(set(shapes)) == 1
    if op in RECURRENT:
        return _by_roles(frozenset(expected), by_role, "") == class_name.removesuffix("Cell")
    if "kernel" in by_role and op in SINGLE_KERNEL_CONVOLUTIONS | {"Dense"}:
        return _agrees(class_name, by_role["kernel"])
    return op != "Embedding" or len(shapes[0]) == 2  # a table


def _bare(shapes: Shapes) -> tuple[str, ...]:
    """Roles of variables of which only shapes and order are known."""
    ranks = tuple(len(s) for s in shapes)
    if ranks == (1, 1, 1, 1) and len(set(shapes)) == 1:
        return ("gamma", "beta", "moving_mean", "moving_variance")
    if ranks == (1, 1) and len(set(shapes)) == 1:
        return ("gamma", "beta")
    if ranks == (1,):
        return ("gamma",)
    if (
        len(shapes) in (2, 3)
        and ranks[:2] == (2, 2)
        and shapes[0][-1] == shapes[1][-1]
        and shapes[1][-1] // max(shapes[1][0], 1) in GATES
    ):
        return (
            ("kernel", "recurrent_kernel", "bias")[: len(shapes)]
            if shapes[1][-1] % max(shapes[1][0], 1) == 0
            else ()
        )
    if ranks[:1] in ((2,), (3,), (4,), (5,)) and len(shapes) == 1:
        return ("kernel",)
    if (
        len(shapes) == 2
        and ranks[0] > ranks[1]
        and (shapes[0][-ranks[1] :] == shapes[1] or shapes[0][-2:-1] == shapes[1])
    ):
        return ("kernel", "bias")
    return ()
