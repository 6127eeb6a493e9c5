"""Which layer a norm belongs to by its name.

`bn1` follows `conv1`, `downsample.1` follows `downsample.0`.
"""

from collections.abc import Mapping, Sequence

Words = tuple[str, ...]
SAYS_NOTHING = frozenset({"conv", "norm", "batch", "layer", "group", "kernel", "weight", "convolution"})
OWNING_KINDS = ("conv", "matrix")
OF_SURE_PAIR, OF_LIKELY_PAIR = 1.0, 0.1  # how much paired layers say for the pair of their norms


def owners_by_name(names: Sequence[Words], kinds: Sequence[str]) -> dict[int, int]:
    """Norm -> the convolution or matrix of its name, by their places, where there is only one.

    A single vector belongs to the layer in whose scope it is: `stem1.affine.scale` to `stem1.conv`.
    """
    keys = [_telling(name) for name in names]
    layers = _owning_layers(keys, kinds)
    norms = [place for place, kind in enumerate(kinds) if kind == "norm"]
    vectors = [place for place, kind in enumerate(kinds) if kind == "vector"]
    candidates = {place: _of_same_name(keys[place], layers) for place in norms}
    candidates |= {place: _in_nearest_scope(keys[place], layers) for place in vectors}
    return {follower: places[0] for follower, places in candidates.items() if len(places) == 1}


def _owning_layers(keys: Sequence[Words], kinds: Sequence[str]) -> dict[Words, list[int]]:
    """The places of the layers that may own a norm, by what their names tell."""
    layers: dict[Words, list[int]] = {}
    for place, kind in enumerate(kinds):
        if kind in OWNING_KINDS:
            layers.setdefault(keys[place], []).append(place)
    return layers


def support_of_owners(
    source_owners: Mapping[int, int],
    target_owners: Mapping[int, int],
    paired: Mapping[int, tuple[int, bool]],
) -> dict[tuple[int, int], float]:
    """(source norm, target norm) -> how much the layers that they belong to say for the pair.

    paired: target layer -> source layer, and whether that is sure.
    """
    support: dict[tuple[int, int], float] = {}
    for target_norm, target_layer in target_owners.items():
        source_layer, is_sure = paired.get(target_layer, (-1, False))
        for source_norm, owner in source_owners.items():
            if owner == source_layer:
                support[source_norm, target_norm] = OF_SURE_PAIR if is_sure else OF_LIKELY_PAIR
    return support


def _telling(name: Words) -> Words:
    return tuple(word for word in name if word not in SAYS_NOTHING)


def _of_same_name(key: Words, layers: Mapping[Words, list[int]]) -> list[int]:
    return layers.get(key) or layers.get(_numbered_before(key), [])


def _numbered_before(key: Words) -> Words:
    """The same with the number before: the layer before it in a list."""
    if key and key[-1].isdecimal() and key[-1].isascii():
        return (*key[:-1], str(int(key[-1]) - 1))
    return ("", *key)


def _in_nearest_scope(key: Words, layers: Mapping[Words, list[int]]) -> list[int]:
    for length in range(len(key) - 1, 0, -1):
        if key[:length] in layers:
            return layers[key[:length]]
    return []
