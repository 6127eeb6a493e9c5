"""Biases of recurrent layers, and what CuDNN keeps: gate by gate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.model.tensors import Array


def gate_bias(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Input and recurrent biases, gates reordered, then summed or stacked as (2, n).

    They are halves of one array, or two arrays. Joined with `zeros`, the one array there is has recurrent
    biases of zero put behind it, as (1, 2 n).
    """
    join, order = parameters["join"], parameters["order"]
    halves = [array.reshape(-1) for array in arrays]
    if len(arrays) == 1 and join != "zeros":
        halves = np.split(halves[0], 2)
    moved = [_reordered(half, order) for half in halves]
    match join:
        case "zeros":
            return np.concatenate([moved[0], np.zeros_like(moved[0])])[np.newaxis]
        case "stack":
            return np.stack(moved)
    return moved[0] + moved[1]


def from_cudnn(array: Array, value: str, gates: int) -> Array:
    if value == "kernel":
        blocks = np.split(array, gates, axis=-1)
        return np.concatenate([block.reshape(block.shape[::-1]).T for block in blocks], axis=-1)
    rows = array.reshape(2, -1)
    return rows if value == "gru-bias" else rows[0] + rows[1]


def to_cudnn(array: Array, value: str, gates: int) -> Array:
    if value == "kernel":
        blocks = np.split(array, gates, axis=-1)
        return np.concatenate([block.T.reshape(block.shape) for block in blocks], axis=-1)
    if value == "gru-bias":
        return array.reshape(-1)
    return np.concatenate([array, np.zeros_like(array)])  # only their sum counts


def _reordered(bias: Array, order: Sequence[int]) -> Array:
    blocks = np.split(bias, len(order))
    return np.concatenate([blocks[i] for i in order])
