"""Axis rules: how one axis of a source tensor becomes the target's, as a small JSON-like dict and its exact
arithmetic.

| rule       | what it does                                                                          |
|------------|---------------------------------------------------------------------------------------|
| `take`     | channels of a group: repeated where it grows, chosen evenly where it shrinks          |
| `share`    | the same for a reading axis: the repeats of a channel share its weight (Net2Wider)     |
| `sum`      | all channels summed into one                                                          |
| `tile`     | channels repeated cyclically, scaled by from / to                                     |
| `cycle`    | channels repeated cyclically, as they are                                             |
| `mean`     | all channels averaged into one                                                        |
| `centre`   | kernel taps cropped, or padded with zeros, from `lead` on                             |
| `grid`     | a flattened map: its places resampled, its channels by a rule of their own            |
| `resample` | pseudo-inverse of linear resizing (FlexiViT, arXiv 2212.08013)                        |

Sizes stand in `from` and `to`: numbers, or for `take` and `share` lists with one number per group that is
concatenated on the
axis. `outer` repeats the groups (places of a flattened grid, gates of an LSTM), `inner` repeats each channel;
`source_order`
`inner` means that the source keeps the grid behind the channels, `target_order` that the target does.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from weightbridge.model.tensors import Array

Rule = Mapping[str, Any]


def mapped(array: Array, axis: int, rule: Rule) -> tuple[Array, float]:
    """The array with one axis mapped, float64, and the share of its energy (sum of squares) that the map does
    not throw away.
    """
    exact = np.asarray(array, np.float64)
    if rule["rule"] == "grid":
        return _regridded(exact, axis, rule)
    result, kept, total = (
        _chosen(exact, axis, rule) if rule["rule"] in ("take", "share") else _mixed(exact, axis, matrix(rule))
    )
    return result, min(kept / total, 1.0) if total else 1.0


def _chosen(array: Array, axis: int, rule: Rule) -> tuple[Array, float, float]:
    index, weight = chosen_channels(rule)
    if index.max(initial=0) >= array.shape[axis]:
        raise ValueError(f"axis rule {dict(rule)} does not fit an axis of length {array.shape[axis]}")
    energy = np.square(array).sum(axis=tuple(n for n in range(array.ndim) if n != axis))
    result = np.take(array, index, axis=axis)
    if rule["rule"] == "share":
        result *= weight.reshape([-1 if n == axis else 1 for n in range(array.ndim)])
    return result, float(energy[np.unique(index)].sum()), float(energy.sum())


def _regridded(array: Array, axis: int, rule: Rule) -> tuple[Array, float]:
    """The axis taken apart into places and channels, each mapped, and put together in the target's order."""
    before, channels, kept = tuple(map(int, rule["from"])), int(rule["channels"]["from"][0]), 1.0
    is_behind = rule.get("source_order") == "inner"
    rows = np.moveaxis(array, axis, 0)
    lengths = (channels, *before) if is_behind else (*before, channels)
    value = rows.reshape(*lengths, *rows.shape[1:])
    value = value if is_behind else np.moveaxis(value, len(before), 0)  # channels first, then places
    for n, (length, wanted) in enumerate(zip(before, rule["to"], strict=True)):
        if length != wanted:
            value, share = mapped(value, n + 1, {"rule": "resample", "from": length, "to": int(wanted)})
            kept *= share
    value, share = mapped(value, 0, rule["channels"])
    places = len(before)
    value = value if rule.get("target_order") == "inner" else np.moveaxis(value, 0, places)
    result = value.reshape(-1, *value.shape[places + 1 :])
    return np.moveaxis(result, 0, axis), kept * share


def _mixed(array: Array, axis: int, mixing: Array) -> tuple[Array, float, float]:
    """Kept is the energy inside the row space of the map: what could be recovered from the result."""
    if mixing.shape[1] != array.shape[axis]:
        raise ValueError(
            f"an axis rule from {mixing.shape[1]} does not fit an axis of length {array.shape[axis]}"
        )
    others = tuple(n for n in range(array.ndim) if n != axis)
    gram = np.tensordot(array, array, (others, others))
    result = np.moveaxis(np.tensordot(mixing, array, (1, axis)), 0, axis)
    kept = np.trace(np.linalg.pinv(mixing) @ mixing @ gram)
    return result, float(kept), float(np.trace(gram))


def chosen_channels(rule: Rule) -> tuple[Array, Array]:
    """Source channel of every target channel, and its share of that channel's weight (the shares of the
    repeats sum to 1).
    """
    before, after = (_sizes(rule[end]) for end in ("from", "to"))
    index = np.concatenate(
        [even(n, m) + start for n, m, start in zip(before, after, _starts(before), strict=True)]
    )
    share = np.concatenate([_shares(even(n, m)) for n, m in zip(before, after, strict=True)])
    outer, inner = int(rule.get("outer", 1)), int(rule.get("inner", 1))
    place, step, total = np.arange(outer)[:, None, None], np.arange(inner)[None, None, :], sum(before)
    if rule.get("source_order") == "inner":
        full = index[None, :, None] * outer + place + 0 * step
    else:
        full = (place * total + index[None, :, None]) * inner + step
    return full.reshape(-1), np.broadcast_to(share[None, :, None], full.shape).reshape(-1)


def even(before: int, after: int) -> Array:
    """`after` channels spread evenly over `before`: all of them, some repeated, or every n-th of them."""
    return np.arange(after, dtype=np.int64) * before // after


def _shares(index: Array) -> Array:
    """Unequal on purpose: equal shares would keep the repeats identical in training (arXiv 2310.07999). k
    repeats get k+1 : ... : 2k.
    """
    _, first, place, counts = np.unique(index, return_index=True, return_inverse=True, return_counts=True)
    k, turn = counts[place], np.arange(len(index)) - first[place]
    return np.asarray(np.where(k == 1, 1.0, (k + 1 + turn) / (k * (3 * k + 1) / 2)))


def _sizes(value: Any) -> list[int]:
    return [int(n) for n in value] if isinstance(value, (list, tuple)) else [int(value)]


def _starts(sizes: list[int]) -> list[int]:
    return [sum(sizes[:n]) for n in range(len(sizes))]


def matrix(rule: Rule) -> Array:
    """The (to, from) matrix of a rule that mixes."""
    n, m = int(rule["from"]), int(rule["to"])
    match rule["rule"]:
        case "sum" | "mean":
            return np.full((m, n), 1.0 if rule["rule"] == "sum" else 1.0 / n)
        case "cycle":
            return np.asarray(np.eye(n)[np.arange(m) % n])
        case "tile":
            return np.asarray(np.eye(n)[np.arange(m) % n] * (n / m))
        case "centre":
            return _centred(n, m, rule.get("lead"))
        case "resample":
            return np.asarray(np.linalg.pinv(linear_resize(n, m).T))
        case unknown:
            raise ValueError(f"axis rule {unknown!r} is not known")


def _centred(n: int, m: int, lead: int | None) -> Array:
    offset = abs(m - n) // 2 if lead is None else int(lead)
    return np.eye(m, n, -offset) if m >= n else np.eye(m, n, offset)


@lru_cache(maxsize=32)
def linear_resize(before: int, after: int) -> Array:
    """(after, before): linear interpolation at half-pixel centres, antialiased where it shrinks, rows summing
    to 1.
    """
    scale = max(before / after, 1.0)
    centre = (np.arange(after) + 0.5) * before / after - 0.5
    weight = np.maximum(0.0, 1.0 - np.abs(centre[:, None] - np.arange(before)[None, :]) / scale)
    return np.asarray(weight / weight.sum(1, keepdims=True))
