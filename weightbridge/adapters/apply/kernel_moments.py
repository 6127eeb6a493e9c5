"""Mean and variance behind a convolution: mean = sum W mu, and for the variance two ways to add taps.

variance = (1 - r) sum W^2 s^2 + r sum_channels (sum_taps W)^2 s^2, where r is the correlation of neighbouring
places. For kernels without structure both terms agree, for smooth ones the second is right.
"""

from collections.abc import Sequence

import numpy as np

from weightbridge.model.tensors import Array

Moments = tuple[Array, Array]  # mean and variance by channel
CORRELATION = 0.5
FLOOR = 1e-6  # of a variance: a channel that never changes is left as it is


def after_kernel(kernel: Array, letters: Sequence[str], mean: Array, variance: Array) -> Moments:
    """Depthwise kernels (`c`) keep channels apart; others (`i`, `o`) sum over them."""
    taps = tuple(n for n, letter in enumerate(letters) if letter.startswith("x"))
    sums = kernel.sum(axis=taps)
    squares = np.square(kernel).sum(axis=taps)
    spread = (1 - CORRELATION) * squares + CORRELATION * np.square(sums)
    channels = [letter for letter in letters if not letter.startswith("x")]
    if "c" in channels:
        return (sums * mean[:, None]).reshape(-1), (spread * variance[:, None]).reshape(-1)
    if channels == ["o", "i"]:
        sums, spread = sums.T, spread.T
    return _summed(mean, sums), _summed(variance, spread)


def _summed(moment: Array, weights: Array) -> Array:
    """Over all channels; the groups of a grouped kernel read a part of them each."""
    groups = len(moment) // len(weights)
    if groups <= 1:
        return np.asarray(moment @ weights)
    parts = zip(np.split(moment, groups), np.split(weights, groups, axis=1), strict=True)
    return np.concatenate([read @ part for read, part in parts])
