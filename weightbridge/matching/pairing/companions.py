"""Norms and scales and the layer that each follows: where names do not tell two of them apart, what is known
of their convolutions does.
"""

from collections.abc import Mapping, Sequence

Words = tuple[str, ...]
SAYS_NOTHING = frozenset({"conv", "norm", "batch", "layer", "group", "kernel", "weight", "convolution"})


def companions(names: Sequence[Words], kinds: Sequence[str]) -> dict[int, int]:
    """Norm -> the convolution or matrix of its name (`bn1` of `conv1`, `downsample.1` of `downsample.0`),
    where there is one.

    A lone vector follows the one in whose scope it is (`stem1.affine.scale` that of `stem1.conv`).
    """
    keys = [_key(name) for name in names]
    layers: dict[Words, list[int]] = {}
    for i, kind in enumerate(kinds):
        if kind in ("conv", "matrix"):
            layers.setdefault(keys[i], []).append(i)
    found = {
        i: layers.get(keys[i]) or layers.get(_before(keys[i]), [])
        for i, kind in enumerate(kinds)
        if kind == "norm"
    }
    found |= {i: _around(keys[i], layers) for i, kind in enumerate(kinds) if kind == "vector"}
    return {follower: places[0] for follower, places in found.items() if len(places) == 1}


def support(
    ours: Mapping[int, int], theirs: Mapping[int, int], paired: Mapping[int, tuple[int, bool]]
) -> dict[tuple[int, int], float]:
    """(source norm, target norm) -> how much their convolutions say for the pair; `paired`: target -> source,
    and whether it is sure.
    """
    found: dict[tuple[int, int], float] = {}
    for norm, layer in theirs.items():
        other, sure = paired.get(layer, (-1, False))
        found |= {(i, norm): 1.0 if sure else 0.1 for i, own in ours.items() if own == other}
    return found


def _around(key: Words, layers: Mapping[Words, list[int]]) -> list[int]:
    """The layers of the nearest scope that has any."""
    return next((layers[key[:n]] for n in range(len(key) - 1, 0, -1) if key[:n] in layers), [])


def _key(name: Words) -> Words:
    return tuple(w for w in name if w not in SAYS_NOTHING)


def _before(key: Words) -> Words:
    """The same with the number before: layers of a list."""
    return (
        (*key[:-1], str(int(key[-1]) - 1))
        if key and key[-1].isdecimal() and key[-1].isascii()
        else ("", *key)
    )
