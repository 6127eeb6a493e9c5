"""Which axis of a tensor means what: `i` (channels in), `o` (channels out), `x0`.. (kernel taps), whoever
wrote the file.
"""

from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import RECURRENT, SINGLE_KERNEL_CONVOLUTIONS

Letters = tuple[str, ...]
VECTORS = frozenset({"bias", "gamma", "beta", "moving_mean", "moving_variance", "mean", "variance", "alpha"})


def letters(layer: Layer, tensor: Tensor, framework: str) -> Letters:
    """One letter per axis, () where the tensor's axes are not known."""
    rank = len(tensor.shape)
    if layer.attributes.get("layouts", {}).get(tensor.role) is not None and layer.op != "Dense":
        return ()  # stored in another order than the operation reads: only exact rules know it
    if layer.op == "EinsumDense":
        return _einsum(layer, tensor)
    if layer.op in RECURRENT:
        return _recurrent(tensor, framework)
    if tensor.role in VECTORS:
        return (*(f"s{n}" for n in range(rank - 1)), "o") if rank else ()
    if tensor.role == "embeddings" and rank == 2:
        return ("v", "o")
    if layer.op == "Dense" and tensor.role == "kernel" and rank == 2:
        return _dense(layer, tensor, framework)
    return _kernel(layer, tensor, framework) if rank >= 3 else ()


def taps(found: Letters) -> Letters:
    """The spatial letters of a kernel."""
    return tuple(letter for letter in found if letter.startswith("x"))


def _dense(layer: Layer, tensor: Tensor, framework: str) -> Letters:
    units = layer.attributes.get("units")
    forward, backward = ("i", "o"), ("o", "i")
    if "transposed" in layer.attributes:
        return backward if layer.attributes["transposed"] else forward
    if tensor.shape[0] != tensor.shape[1] and units in tensor.shape:
        return forward if tensor.shape[1] == units else backward
    return backward if framework == "torch" else forward


def _kernel(layer: Layer, tensor: Tensor, framework: str) -> Letters:
    spatial = tuple(f"x{n}" for n in range(len(tensor.shape) - 2))
    if tensor.role == "pointwise_kernel":
        return (*spatial, "i", "o")
    if tensor.role == "depthwise_kernel" or (layer.op == "DepthwiseConv" and framework == "keras"):
        return (*spatial, "c", "m")
    if layer.op == "DepthwiseConv":
        single = (
            layer.attributes.get("groups") == tensor.shape[0]
        )  # else channels and multiplier share one axis
        return ("c", "m", *spatial) if single else ()
    if tensor.role != "kernel" or layer.op not in SINGLE_KERNEL_CONVOLUTIONS:
        return ()
    swapped = layer.op == "ConvTranspose"
    if framework == "keras":
        return (*spatial, "o", "i") if swapped else (*spatial, "i", "o")
    return ("i", "o", *spatial) if swapped else ("o", "i", *spatial)


def _recurrent(tensor: Tensor, framework: str) -> Letters:
    rank = len(tensor.shape)
    if framework != "keras" or rank not in (1, 2):
        return ()
    names: dict[str, Letters] = {
        "kernel": ("i", "g"),
        "recurrent_kernel": ("u", "g"),
        "bias": ("g",) if rank == 1 else ("b", "g"),
    }
    return names.get(tensor.role, ())


def _einsum(layer: Layer, tensor: Tensor) -> Letters:
    """From `abc,cde->abde`: kernel axes that the output has are channels out, the others channels in."""
    left, arrow, right = str(layer.attributes.get("equation", "")).partition("->")
    _, comma, kernel = left.partition(",")
    if not arrow or not comma:
        return ()
    if tensor.role == "bias":
        rank = sum(axis in kernel for axis in right)
        return ("h", "o")[-rank:] if len(tensor.shape) == rank <= 2 else ()
    if tensor.role != "kernel" or len(kernel) != len(tensor.shape):
        return ()
    out = [axis for axis in kernel if axis in right]
    into = [axis for axis in kernel if axis not in right]
    if not 1 <= len(out) <= 2 or not 1 <= len(into) <= 2:
        return ()
    names = dict(zip(reversed(out), ("o", "h"), strict=False)) | dict(
        zip(reversed(into), ("i", "j"), strict=False)
    )
    return tuple(names[axis] for axis in kernel)
