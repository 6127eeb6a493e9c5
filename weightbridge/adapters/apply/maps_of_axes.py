"""`map-axes`: layout first, then one rule per axis that changes, then centred filters and the scale where
asked for.
"""

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import Any

import numpy as np

from weightbridge.adapters.apply.layout import arranged
from weightbridge.adapters.apply.maps import mapped
from weightbridge.model.tensors import Array


def map_axes(
    arrays: Sequence[Array], parameters: Mapping[str, Any], _: tuple[int, ...]
) -> tuple[Array, float]:
    """One rule per axis that changes, after the layout; then, where asked for, the scale."""
    value, kept = arranged(np.asarray(arrays[0], np.float64), parameters.get("layout", "")), 1.0
    for axis, rule in sorted(parameters.get("axes", {}).items()):
        value, share = mapped(value, int(axis), rule)
        kept *= share
    if parameters.get("centred"):
        value, share = _centred(value, tuple(parameters["out"]))
        kept *= share
    value *= float(parameters.get("scale", 1.0))
    return value * _scale(np.asarray(arrays[0], np.float64), value, parameters), kept


def _centred(value: Array, out: tuple[int, ...]) -> tuple[Array, float]:
    """Every filter without its mean, so that a drift common to all its inputs is not passed on (arXiv
    1903.10520).
    """
    fan_in = tuple(n for n in range(value.ndim) if n not in out)
    centred = value - value.mean(axis=fan_in, keepdims=True)
    energy = float(np.square(value).sum())
    return centred, float(np.square(centred).sum()) / energy if energy else 1.0


def _scale(before: Array, after: Array, parameters: Mapping[str, Any]) -> float:
    """`he`: variance 2 / fan-in, over all axes but those in `out`.

    `norm`: the source's sum of squares; else 1.
    """
    energy, rule = float(np.square(after).sum()), parameters.get("rescale")
    if rule is None or energy == 0.0:
        return 1.0
    wanted = (
        2.0 * prod(after.shape[n] for n in parameters["out"])
        if rule == "he"
        else float(np.square(before).sum())
    )
    return sqrt(wanted / energy)
