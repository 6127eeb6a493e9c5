"""BatchNorm behind a fitted layer: at inference and in training it gives what the layer was fitted to."""

import numpy as np

from weightbridge.formats.flow import Node
from weightbridge.model.tensors import Array

BLOCK = 2048  # rows that are summed in their own precision


def norm_values(node: Node, x: Array, bias: Array | None) -> dict[str, Array]:
    """Its weights by role, for what it reads.

    bias: what the layer before it still lacks; None where that was not fitted: the norm is neutral then.
    The statistics are those of x, so a batch like x is normalised by the same numbers. With a scale, x + bias
    is what comes out; without one, the kernel before it has made the variance 1.
    """
    mean, variance = mean_and_variance(x)
    spread = np.sqrt(variance + float(node.settings.get("epsilon", 1e-3)))
    values = {"moving_mean": mean, "moving_variance": variance}
    if "gamma" in node.roles:
        values["gamma"] = np.ones_like(mean) if bias is None else spread
    if "beta" in node.roles:
        shift = np.zeros_like(mean) if bias is None else mean + bias
        values["beta"] = shift if "gamma" in node.roles else shift / spread
    return values


def mean_and_variance(x: Array) -> tuple[Array, Array]:
    """Of each channel, over all places: block by block, summed in float64."""
    flat = x.reshape(-1, x.shape[-1])
    blocks = [flat[start : start + BLOCK] for start in range(0, len(flat), BLOCK)]
    mean = np.asarray(sum(_sum(block) for block in blocks) / len(flat))
    level = mean.astype(x.dtype)
    squares = sum(_sum(np.square(block - level)) for block in blocks)
    return mean, squares / len(flat) - (mean - level) ** 2


def _sum(block: Array) -> Array:
    return (np.ones(len(block), dtype=block.dtype) @ block).astype("float64")
