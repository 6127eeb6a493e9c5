"""What a layer is where no config says: by its variables' names, else by its group and the shapes."""

import re
from collections.abc import Container, Mapping
from math import prod
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.keras.architecture.classes import BY_GROUP, CLASSES, roles
from weightbridge.formats.keras.architecture.windows import DIMENSIONS, rank_of
from weightbridge.model.vocabulary import DENSE, NORMS, RECURRENT, SINGLE_KERNEL_CONVOLUTIONS

Shapes = tuple[tuple[int, ...], ...]
Named = Mapping[str, tuple[int, ...]]  # shapes by the names or roles of variables
# configs that leave optional variables out, the commonest first
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"use_bias": False},
    {"bias_axes": "x"},
    {"center": False},
    {"scale": False},
    {"scale": False, "center": False},
    {"rms_scaling": True},
    {"tie_weights": False},
)
BATCH_NORM_VARIANTS = (*VARIANTS[:3], VARIANTS[4], VARIANTS[3], *VARIANTS[5:], {"renorm": True})
# roles of vectors of one length, by how many there are
VECTOR_ROLES: Mapping[int, tuple[str, ...]] = {
    1: ("gamma",),
    2: ("gamma", "beta"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}
RECURRENT_ROLES = ("kernel", "recurrent_kernel", "bias")
KERNEL_RANKS = (2, 3, 4, 5)
GATES = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}
MATRIX = 2
UNTOLD = re.compile(r"var\d+")
PROJECTION = re.compile(r"query|key|value|attention|output_dense")
SIGNATURES: tuple[tuple[frozenset[str], str], ...] = (  # one of these roles tells the class
    (frozenset({"moving_mean", "moving_variance"}), "BatchNormalization"),
    (frozenset({"embeddings"}), "Embedding"),
    (frozenset({"alpha"}), "PReLU"),
    (frozenset({"mean", "variance"}), "Normalization"),
)
# a word in an attribute's name -> what it is called for, if the shapes agree
HINTS: tuple[tuple[str, str], ...] = (
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
    class_name = _by_roles(dict(zip(names, shapes, strict=True)), hint)
    if class_name:
        return Guess(class_name, names)
    has_names = any(not UNTOLD.fullmatch(name) for name in names)
    return Guess("", names) if has_names else _by_shapes(names, shapes, hint)


def _is_dense(shapes: Named) -> bool:
    """Whether a custom layer's matrix `weight` has a bias for each of its columns, as in Keras."""
    if shapes.keys() != {"weight", "bias"} or len(shapes["weight"]) != MATRIX:
        return False
    weight, bias = shapes["weight"], shapes["bias"]
    return bias[-1:] == weight[1:] and prod(bias) == weight[1]


def class_of_group(group: str) -> str:
    """The class that an automatic name or storage group stands for (`conv2d_1` -> `Conv2D`), or ""."""
    return BY_GROUP.get(re.sub(r"_\d+$", "", group.lower()), "")


def _by_roles(shapes: Named, hint: str) -> str:
    """The class that the roles tell, "" for none."""
    names = set(shapes)
    by_mark = next((class_name for marks, class_name in SIGNATURES if names & marks), "")
    if by_mark:
        return by_mark
    if any(name.startswith("recurrent_kernel_") for name in names):
        return "LSTM" if "kernel_c" in names else "GRU"
    if "recurrent_kernel" in names and len(shapes.get("kernel", ())) == MATRIX:
        return _by_gates(shapes)
    return _by_kernels(shapes, hint)


def _by_gates(shapes: Named) -> str:
    recurrent_kernel, gate_units = shapes["recurrent_kernel"], shapes["kernel"][-1]
    if not recurrent_kernel:
        return ""
    units = max(recurrent_kernel[0], 1)
    class_name = GATES.get(gate_units // units, "")
    is_for_cudnn = shapes.get("bias") == (2 * gate_units,) and class_name in ("LSTM", "GRU")
    return f"CuDNN{class_name}" if is_for_cudnn else class_name


def _by_kernels(shapes: Named, hint: str) -> str:
    """The class of a convolution, a norm, or another layer with one kernel."""
    names = set(shapes)
    if "pointwise_kernel" in names:
        return f"SeparableConv{_windows(shapes['pointwise_kernel'])}D"
    if "depthwise_kernel" in names:
        return f"DepthwiseConv{_windows(shapes['depthwise_kernel'])}D"
    if names in ({"gamma", "beta"}, {"gamma"}):
        return _norm(names, hint)
    has_kernel = "kernel" in names and names <= {"kernel", "bias"}
    return _by_kernel(shapes, hint) if has_kernel else ""


def _windows(kernel: tuple[int, ...]) -> int:
    """How many axes a convolution's windows have."""
    return len(kernel) - 2


def _norm(names: Container[str], hint: str) -> str:
    if "group" in hint.rsplit("/", 1)[-1]:
        return "GroupNormalization"
    return "RMSNormalization" if "beta" not in names and "rms" in hint else "LayerNormalization"


def _by_kernel(shapes: Named, hint: str) -> str:
    """The class of a layer with a kernel, and perhaps a bias."""
    kernel, bias = shapes["kernel"], shapes.get("bias")
    by_name = class_of_group(hint.rsplit("/", 1)[-1])
    if by_name and CLASSES[by_name].op in SINGLE_KERNEL_CONVOLUTIONS | DENSE and _agrees(by_name, kernel):
        return by_name
    if len(kernel) == MATRIX:  # inputs, units
        return "Dense"
    has_heads = bias is not None and len(bias) == MATRIX
    if len(kernel) == 3 and (has_heads or PROJECTION.search(hint)):
        return "EinsumDense"
    return _convolution(kernel, bias, hint) if len(kernel) in KERNEL_RANKS else ""


def _convolution(kernel: tuple[int, ...], bias: tuple[int, ...] | None, hint: str) -> str:
    rank = len(kernel) - 2
    is_depthwise = "depthwise" in hint or "dw" in hint.split("_")
    if rank < 3 and is_depthwise:
        return f"DepthwiseConv{rank}D"
    is_transposed = "transpose" in hint or (bias is not None and _fits_inputs_alone(bias, kernel))
    return f"Conv{rank}DTranspose" if is_transposed else f"Conv{rank}D"


def _fits_inputs_alone(bias: tuple[int, ...], kernel: tuple[int, ...]) -> bool:
    """Whether a bias has a value for each of the last but one axis, and none for the last."""
    size = bias[-1:]
    inputs, outputs = kernel[-2:-1], kernel[-1:]
    return size == inputs and size != outputs


def _agrees(class_name: str, kernel: tuple[int, ...]) -> bool:
    if DIMENSIONS.search(class_name):
        return len(kernel) == rank_of(class_name) + 2
    return len(kernel) == MATRIX or class_name == "EinsumDense"


def _by_shapes(names: tuple[str, ...], shapes: Shapes, hint: str) -> Guess:
    """Variables without names: the class by the group's name, else by the shapes."""
    last = hint.rsplit("/", 1)[-1].lower()
    for class_name in _named_classes(last):
        fitting = _fitting_roles(class_name, shapes)
        if fitting is not None:
            return Guess(class_name, fitting)
    expected = _bare(shapes)
    if not expected:
        return Guess("", names)
    class_name = _by_roles(dict(zip(expected, shapes, strict=True)), hint.lower())
    return Guess(class_name, expected if class_name else names)


def _named_classes(last: str) -> list[str]:
    """The classes that a name may stand for."""
    by_group = class_of_group(last)
    hinted = [class_name for word, class_name in HINTS if word in last]
    return [by_group, *hinted] if by_group else hinted


def _fitting_roles(class_name: str, shapes: Shapes) -> tuple[str, ...] | None:
    """The roles of a class's variables, in the first of its variants that has these shapes."""
    is_batch_norm = CLASSES[class_name].op == "BatchNorm"
    for config in BATCH_NORM_VARIANTS if is_batch_norm else VARIANTS:
        expected = roles(class_name, config) or ()
        if len(expected) == len(shapes) and _fits(class_name, expected, shapes):
            return expected
    return None


def _fits(class_name: str, expected: tuple[str, ...], shapes: Shapes) -> bool:
    op = CLASSES[class_name].op
    by_role = dict(zip(expected, shapes, strict=True))
    if op in NORMS:
        return len(set(shapes)) == 1
    if op in RECURRENT:
        return _by_roles(by_role, "") == class_name.removesuffix("Cell")
    if "kernel" in by_role and op in SINGLE_KERNEL_CONVOLUTIONS | {"Dense"}:
        return _agrees(class_name, by_role["kernel"])
    return op != "Embedding" or len(shapes[0]) == MATRIX


def _bare(shapes: Shapes) -> tuple[str, ...]:
    """Roles of variables of which only shapes and order are known."""
    ranks = tuple(len(shape) for shape in shapes)
    if set(ranks) == {1}:
        return VECTOR_ROLES.get(len(shapes), ()) if len(set(shapes)) == 1 else ()
    if ranks[:2] == (MATRIX, MATRIX) and len(shapes) in (2, 3) and _has_gates(shapes):
        return _recurrent_roles(shapes)
    if len(shapes) == 1 and ranks[0] in KERNEL_RANKS:
        return ("kernel",)
    return ("kernel", "bias") if _are_kernel_and_bias(shapes) else ()


def _recurrent_roles(shapes: Shapes) -> tuple[str, ...]:
    units, gate_units = shapes[1]
    is_whole = gate_units % max(units, 1) == 0
    return RECURRENT_ROLES[: len(shapes)] if is_whole else ()


def _has_gates(shapes: Shapes) -> bool:
    """Whether two matrices can be the kernels of a recurrent layer."""
    kernel, recurrent = shapes[:2]
    units, gate_units = recurrent
    gates = gate_units // max(units, 1)
    return kernel[-1] == gate_units and gates in GATES


def _are_kernel_and_bias(shapes: Shapes) -> bool:
    """Whether the second has a value for each output of the first, or for each of its last but one axis."""
    if len(shapes) != 2:
        return False
    kernel, bias = shapes
    if len(kernel) <= len(bias):
        return False
    return kernel[-len(bias) :] == bias or kernel[-2:-1] == bias
