"""Tables of embeddings that gain rows: the old ones at their places, new ones like them.

New rows are drawn from a normal distribution with the mean and covariance of the old ones, so that no new
word stands out before it is trained (Hewitt 2021, Initializing New Word Embeddings for Pretrained Language
Models).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.adapters.apply.maps import mapped
from weightbridge.model.tensors import Array


def grown_rows(
    arrays: Sequence[Array], parameters: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Array, float]:
    """(rows, width); `seed` decides what is drawn, `channels` is the rule of another width."""
    rows, kept = np.asarray(arrays[0], np.float64), 1.0
    if "channels" in parameters:
        rows, kept = mapped(rows, 1, parameters["channels"])
    added = shape[0] - len(rows)
    if added < 0:
        raise ValueError(f"{len(rows)} rows do not fit into {shape[0]}")
    random = np.random.default_rng(int(parameters["seed"]))
    drawn = random.standard_normal((added, rows.shape[1])) @ _root(rows)
    return np.concatenate([rows, rows.mean(axis=0) + drawn]), kept


def _root(rows: Array) -> Array:
    """The symmetric root of the covariance, which is one on every machine, as a triangular one is not."""
    centred = rows - rows.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(rows), 1))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
