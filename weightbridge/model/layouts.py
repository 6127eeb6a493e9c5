"""Which axis of a stored tensor is which: the layouts of every framework, by operation and role.

`o` counts channels out, `i` channels in, `d h w` space; docs/attributes.md lists all names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import RECURRENT

AxisNames = tuple[str, ...]
VECTORS = frozenset({"bias", "gamma", "beta", "moving_mean", "moving_variance", "mean", "variance", "alpha"})
MATRICES = {False: "i o", True: "o i"}  # by `transposed`
STACKS = {False: "x i o", True: "x o i"}  # matrices of several experts
SPACE: Mapping[int, str] = {1: "w", 2: "h w", 3: "d h w"}

CHANNELS_LAST_KERNELS = {"Conv": "... i o", "ConvTranspose": "... o i", "DepthwiseConv": "... c m"}
CHANNELS_FIRST_KERNELS = {"Conv": "o i ...", "ConvTranspose": "i o ...", "DepthwiseConv": "(c m) 1 ..."}
KERNELS: Mapping[str, Mapping[str, str]] = {
    "keras": CHANNELS_LAST_KERNELS,
    "onnx": CHANNELS_FIRST_KERNELS,
    "torch": CHANNELS_FIRST_KERNELS,
}
SEPARABLE = {"depthwise_kernel": "... c m", "pointwise_kernel": "... i o"}  # roles that Keras alone has
GATES: Mapping[str, Mapping[str, str]] = {
    "keras": {"kernel": "i g", "recurrent_kernel": "u g", "bias": "g", "recurrent_bias": "g"},
    "torch": {"kernel": "g i", "recurrent_kernel": "g u", "bias": "g", "recurrent_bias": "g"},
    "onnx": {"kernel": "r g i", "recurrent_kernel": "r g u", "bias": "r (b g)"},
}
OLD_GATES: Mapping[str, str] = {
    "LSTM": "ifco",
    "GRU": "zrh",
}  # Keras 1 keeps each apart; in the order of Keras 2
CUDNN = "cudnn"  # what recurrent layers of Keras 2 for CuDNN say of their `weights`: their axes have no names
AS_DEPTHWISE = {"o": "(c m)", "i": "1"}  # a convolution with one channel a group, where channels come first
AS_GROUPED = {"(c m)": "o", "1": "i"}


def with_axes(layers: Sequence[Layer], framework: str) -> tuple[Layer, ...]:
    """The layers of a file with the axes of all their tensors; framework: whose layouts the file has."""
    return tuple(_with_axes(layer, framework) for layer in layers)


def _with_axes(layer: Layer, framework: str) -> Layer:
    if not layer.tensors:
        return layer
    tensors = tuple(replace(t, axes=stored_axes(framework, layer, t)) for t in layer.tensors)
    return replace(layer, tensors=tensors)


def stored_axes(framework: str, layer: Layer, tensor: Tensor) -> str:
    """The axes of a tensor as its file stores it, "" where they are not known."""
    layouts = layer.attributes.get("layouts") or {}
    is_matrix = layer.op == "Dense" and len(tensor.shape) == 2  # which says it by `transposed`
    if tensor.role in layouts and not is_matrix:
        return _told_axes(layer, tensor, str(layouts[tensor.role]))
    if "kernel_axes" in layer.attributes and tensor.role == "kernel":
        return _with_space(str(layer.attributes["kernel_axes"]), len(tensor.shape))
    return usual_axes(framework, layer, tensor)


def _told_axes(layer: Layer, tensor: Tensor, axes: str) -> str:
    """The axes that a reader found behind a Transpose or Reshape; it names those of some layers otherwise."""
    is_named_otherwise = layer.op in RECURRENT and layer.attributes.get("weights") != "keras"
    if layer.op == "EinsumDense" or is_named_otherwise or len(split(axes)) != len(tensor.shape):
        return ""
    return " ".join("o" if name == "c" else name for name in split(axes)) if tensor.role in VECTORS else axes


def usual_axes(framework: str, layer: Layer, tensor: Tensor) -> str:
    """The axes of a tensor as the operation reads it in this framework, "" where they are not known."""
    rank = len(tensor.shape)
    if layer.op == "EinsumDense":
        return " ".join(_einsum_axes(layer, tensor))
    if layer.op in RECURRENT:
        return _recurrent_axes(framework, layer, tensor)
    if tensor.role in VECTORS:
        return " ".join((*(f"s{n}" for n in range(rank - 1)), "o")) if rank else ""
    if rank == 2:
        return _matrix_axes(layer, tensor)
    if layer.op == "Opaque":
        return _stack_axes(framework, layer) if rank == 3 else ""
    return _kernel_axes(framework, layer, tensor)


def _matrix_axes(layer: Layer, tensor: Tensor) -> str:
    if tensor.role == "embeddings":
        return "v e"
    if layer.op == "Dense" and tensor.role == "kernel":
        return MATRICES[bool(layer.attributes.get("transposed"))]
    return "(p o) i" if tensor.role == "in_proj_kernel" else ""  # query, key and value in one


def _stack_axes(framework: str, layer: Layer) -> str:
    """Three axes of a layer of unknown class are taken for a stack of matrices of known order."""
    is_turned = layer.attributes.get("transposed", False if framework == "keras" else None)
    return "" if is_turned is None else STACKS[bool(is_turned)]


def _kernel_axes(framework: str, layer: Layer, tensor: Tensor) -> str:
    rank = len(tensor.shape)
    if tensor.role in SEPARABLE:
        return _with_space(SEPARABLE[tensor.role], rank)
    if tensor.role != "kernel":
        return ""
    return _with_space(KERNELS.get(framework, {}).get(layer.op, ""), rank)


def _with_space(axes: str, rank: int) -> str:
    """`o i ...` with its axes of space written out, "" where a tensor of this rank cannot have them."""
    named = split(axes.replace("...", " "))
    space = SPACE.get(rank - len(named), "")
    return axes.replace("...", space) if space else ""


def _recurrent_axes(framework: str, layer: Layer, tensor: Tensor) -> str:
    """A cell that an exporter wrote out may have Keras's layout, or torch's; its reader says so."""
    writer = str(layer.attributes.get("weights", framework))
    axes = GATES.get(writer, {}).get(tensor.role, "")
    if tensor.role == "bias" and len(tensor.shape) == 2 and writer == "keras":
        axes = "b g"  # input and recurrent biases of a GRU
    return axes if len(split(axes)) == len(tensor.shape) else ""


def _einsum_axes(layer: Layer, tensor: Tensor) -> AxisNames:
    """From `abc,cde->abde`: kernel axes that the output has are channels out, the others channels in.

    Of two axes out, the heads `n` come first: `i n o`. Of two axes in, they are `j`: `j i o`.
    """
    inputs, _, output = str(layer.attributes.get("equation", "")).partition("->")
    kernel = inputs.partition(",")[2]
    outward = _named([axis for axis in kernel if axis in output], ("o", "n"))
    inward = _named([axis for axis in kernel if axis not in output], ("i", "j"))
    if tensor.role == "bias" and len(tensor.shape) == len(outward):
        return tuple(outward.values())
    if tensor.role != "kernel" or len(tensor.shape) != len(kernel) or not (outward and inward):
        return ()
    return tuple({**outward, **inward}[axis] for axis in kernel)


def _named(axes: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The axes in their order, named from the last one on; {} where there are more of them than names."""
    if len(axes) > len(names):
        return {}
    return dict(zip(axes, reversed(names[: len(axes)]), strict=True))


def as_operation(framework: str, layer: Layer, tensor: Tensor, op: str) -> tuple[Layer, Tensor]:
    """The layer as one of another kind of convolution, and its kernel with the axes of that kind."""
    renamed = replace(layer, op=op)
    if tensor.axes == usual_axes(framework, layer, tensor):
        return renamed, replace(tensor, axes=usual_axes(framework, renamed, tensor))
    names = AS_DEPTHWISE if op == "DepthwiseConv" else AS_GROUPED
    return renamed, replace(tensor, axes=" ".join(names.get(name, name) for name in split(tensor.axes)))


def split(axes: str) -> AxisNames:
    """`(c m) 1 h w` by dimension."""
    names: list[str] = []
    for part in axes.replace("(", " ( ").replace(")", " ) ").split():
        if part == ")":
            start = names.index("(")
            names[start:] = [f"({' '.join(names[start + 1 :])})"]
        else:
            names.append(part)
    return tuple(names)


def names_within(axis: str) -> AxisNames:
    """The names of an axis that is several in one: `(c m)`; () for any other."""
    return tuple(axis.strip("()").split()) if axis.startswith("(") else ()


def length_of(tensor: Tensor, axis: str) -> int | None:
    """How long an axis of a tensor is, None where the tensor has none of this name."""
    names = split(tensor.axes)
    return tensor.shape[names.index(axis)] if axis in names else None


def is_turned(tensor: Tensor) -> bool:
    """Whether a matrix is known to be stored as (out, in)."""
    return tensor.axes == MATRICES[True]


def is_taken_as_turned(graph: LayerGraph, tensor: Tensor) -> bool:
    """Whether a matrix is (out, in), as those of unknown axes are in torch's modules."""
    is_known = tensor.axes in MATRICES.values()
    return is_turned(tensor) if is_known else writes_matrices_turned(graph)


def writes_matrices_turned(graph: LayerGraph) -> bool:
    """Whether matrices of unknown axes are (out, in), as they are in torch's modules."""
    return graph.framework == "torch"


def keeps_channels_first(graph: LayerGraph) -> bool:
    """Whether the kernels of a file are those of operations that see channels before space."""
    return KERNELS.get(graph.framework) is CHANNELS_FIRST_KERNELS


def has_layouts_of(one: LayerGraph, other: LayerGraph) -> bool:
    """Whether tensors of unknown axes have the same axes in both files."""
    return one.framework == other.framework


def writes_alike(one: LayerGraph, other: LayerGraph) -> bool:
    """Whether both files say alike where channels and other axes are.

    ONNX's operators are those of TensorFlow's files too, which have their channels last.
    """
    return one.framework == other.framework and (one.framework != "onnx" or one.format == other.format)


def data_format(graph: LayerGraph, layer: Layer) -> str | None:
    """`channels_first` or `channels_last`: where a layer's values have their channels; None if unknown."""
    usual = None if keeps_channels_first(graph) else "channels_last"
    told = layer.attributes.get("data_format", usual)
    return None if told is None else str(told)
