"""Convolution kernels of Keras 1 and Theano, where no architecture tells their axes and flip."""

from dataclasses import replace

from weightbridge.formats.keras.architecture.dialects import Origin
from weightbridge.model.graph import Layer

KERAS_2 = (2,)
KERNEL_AXES = "o i ..."
SPATIAL = 2  # (output, input, rows, columns)


def with_old_kernels(layer: Layer, origin: Origin) -> Layer:
    """The layer with `kernel_axes` and `kernel_flipped` where its kernel is not as today's Keras keeps it."""
    kernel, bias = layer.tensor("kernel"), layer.tensor("bias")
    if layer.op != "Conv" or kernel is None:
        return layer
    attributes = dict(layer.attributes)
    if origin.backend == "theano":
        attributes["kernel_flipped"] = True
    bias_shape = None if bias is None else bias.shape
    if origin.version < KERAS_2 and _is_output_first(kernel.shape, bias_shape):
        attributes["kernel_axes"] = KERNEL_AXES
        attributes["filters"] = kernel.shape[0]
        attributes["kernel_size"] = kernel.shape[SPATIAL:]
    return replace(layer, attributes=attributes)


def _is_output_first(kernel: tuple[int, ...], bias: tuple[int, ...] | None) -> bool:
    """By the bias, which has one value for each output.

    Where both ends fit, or there is no bias, windows are taken to be smaller than channels.
    """
    if bias is not None:
        fits_first = bias[0] == kernel[0]
        fits_last = bias[0] == kernel[-1]
        if fits_first != fits_last:
            return fits_first
    return max(kernel[SPATIAL:]) < kernel[0]
