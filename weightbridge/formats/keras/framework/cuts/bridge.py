"""The layers between two cut models: to the rank, the grid and the channels that the tail expects."""

from collections.abc import Callable, Sequence
from math import isqrt, prod
from typing import Any

import keras
import numpy as np

from weightbridge.errors import UsageError
from weightbridge.model.tensors import Array

Naming = Callable[[str], str]
L = keras.layers
GLOBAL = {3: L.GlobalAveragePooling1D, 4: L.GlobalAveragePooling2D, 5: L.GlobalAveragePooling3D}
POOL = {3: L.AveragePooling1D, 4: L.AveragePooling2D, 5: L.AveragePooling3D}
GROW = {3: L.UpSampling1D, 4: L.UpSampling2D, 5: L.UpSampling3D}
CONV = {4: L.Conv2D, 5: L.Conv3D}


def bridged(features: Any, shape: Sequence[int | None], named: Naming) -> Any:
    """`features` brought to `shape` (with batch): rank, then grid, then channels.

    The channel layer is always there, to be trained.
    """
    if shape[-1] is None or features.shape[-1] is None:
        raise UsageError(
            f"the number of channels is not fixed where {tuple(features.shape)} meets {tuple(shape)}",
            fix="Cut elsewhere",
        )
    ranked = _to_rank(features, shape, named)
    gridded = _to_grid(ranked, tuple(shape[1:-1]), named)
    return _to_channels(gridded, int(shape[-1]), named)


def _to_rank(x: Any, shape: Sequence[int | None], named: Naming) -> Any:
    before, after = len(x.shape), len(shape)
    if before == after:
        return x
    if after == 2:
        return GLOBAL[before](name=named("stitch_pool"))(x)
    if before == 2:
        return L.Reshape((*(1,) * (after - 2), x.shape[-1]), name=named("stitch_reshape"))(x)
    places = x.shape[1:-1]
    if None in places:
        raise _unknown(x, shape)
    if after == 3:
        return L.Reshape((prod(places), x.shape[-1]), name=named("stitch_reshape"))(x)
    side = isqrt(prod(places))
    if after != 4 or side * side != prod(places):
        message = f"{tuple(x.shape)} cannot be laid out as {tuple(shape)}"
        raise UsageError(message, fix="Cut both models where they have maps, sequences or vectors")
    return L.Reshape((side, side, x.shape[-1]), name=named("stitch_reshape"))(x)


def _to_grid(x: Any, grid: tuple[int | None, ...], named: Naming) -> Any:
    """Whole ratios by pooling or repeating, others by bilinear resizing.

    A size that is free on the target's side stays as it is.
    """
    before = tuple(x.shape[1:-1])
    wanted = tuple(m if n is None else n for n, m in zip(grid, before, strict=True))
    if before == wanted:
        return x
    if None in before:
        raise _unknown(x, (None, *grid, None))
    rank = len(x.shape)
    if _are_multiples(before, wanted):
        return POOL[rank](_factors(before, wanted), name=named("stitch_pool"))(x)
    if _are_multiples(wanted, before):
        smooth = {"interpolation": "bilinear"} if rank == 4 and min(before) > 1 else {}
        return GROW[rank](_factors(wanted, before), name=named("stitch_upsample"), **smooth)(x)
    return _resized(x, wanted, named)


def _are_multiples(large: Sequence[int], small: Sequence[int]) -> bool:
    return all(n % m == 0 for n, m in zip(large, small, strict=True))


def _factors(large: Sequence[int], small: Sequence[int]) -> int | tuple[int, ...]:
    factors = tuple(n // m for n, m in zip(large, small, strict=True))
    return factors[0] if len(factors) == 1 else factors


def _resized(x: Any, wanted: tuple[int, ...], named: Naming) -> Any:
    if len(x.shape) == 4:
        return L.Resizing(*wanted, interpolation="bilinear", name=named("stitch_resize"))(x)
    if len(x.shape) == 3:
        flat = L.Reshape((x.shape[1], 1, x.shape[-1]), name=named("stitch_reshape"))(x)
        resized = L.Resizing(wanted[0], 1, interpolation="bilinear", name=named("stitch_resize"))(flat)
        return L.Reshape((wanted[0], x.shape[-1]), name=named("stitch_reshape"))(resized)
    raise UsageError(
        f"volumes of {x.shape[1:-1]} and {wanted} places have no whole ratio", fix="Cut where they have one"
    )


def _to_channels(x: Any, channels: int, named: Naming) -> Any:
    rank = len(x.shape)
    layer = (
        CONV[rank](channels, 1, name=named("stitch_channels"))
        if rank in CONV
        else L.Dense(channels, name=named("stitch_channels"))
    )
    result = layer(x)
    kernel = projection(int(x.shape[-1]), channels)
    layer.set_weights([kernel.reshape(layer.kernel.shape), np.zeros(channels, "float32")])
    return result


def projection(before: int, after: int) -> Array:
    """(before, after), like an identity.

    Channels repeated where they grow, joined in runs of k with 1 / sqrt(k) where they shrink.

    Every output has its inputs' variance (of uncorrelated channels); non-negative features stay so.
    """
    if after >= before:
        return np.asarray(np.eye(before, dtype="float32")[:, np.arange(after) * before // after])
    kernel = np.eye(after, dtype="float32")[np.arange(before) * after // before]
    return np.asarray(kernel / np.sqrt(kernel.sum(0)))


def _unknown(x: Any, shape: Sequence[int | None]) -> UsageError:
    message = f"the grid of {tuple(x.shape)} is not fixed, so it cannot be brought to {tuple(shape)}"
    return UsageError(message, fix="Give the source model a fixed input size")
