"""Names as evidence: normal form, which names say nothing, and how two schemes of names differ."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from weightbridge.matching.pairing.affixes import same_inside
from weightbridge.model.tensors import Array

SEPARATORS = re.compile(r"[/.:\s]+")
CELL = re.compile(r"(lstm|gru|simple_rnn)_cell(_\d+)?")
WRAPPERS = frozenset(
    {
        "module",
        "model",
        "state_dict",
        "_orig_mod",
        "model_weights",
        "layers",
        "vars",
        "functional",
        "sequential",
    }
)
AUTOMATIC = frozenset(
    [
        "activation",
        "activity_regularization",
        "add",
        "alpha_dropout",
        "attention",
        "additive_attention",
        "average",
        "average_pooling1d",
        "average_pooling2d",
        "average_pooling3d",
        "batch_normalization",
        "bidirectional",
        "cell",
        "center_crop",
        "concatenate",
        "conv1d",
        "conv1d_transpose",
        "conv2d",
        "conv2d_transpose",
        "conv3d",
        "conv3d_transpose",
        "convolution1d",
        "convolution2d",
        "cropping1d",
        "cropping2d",
        "dense",
        "depthwise_conv1d",
        "depthwise_conv2d",
        "dot",
        "dropout",
        "einsum_dense",
        "elu",
        "embedding",
        "flatten",
        "global_average_pooling1d",
        "global_average_pooling2d",
        "global_max_pooling1d",
        "global_max_pooling2d",
        "group_normalization",
        "gru",
        "gru_cell",
        "group_query_attention",
        "identity",
        "input",
        "input_layer",
        "lambda",
        "layer",
        "layer_normalization",
        "leaky_re_lu",
        "lstm",
        "lstm_cell",
        "masking",
        "max_pooling1d",
        "max_pooling2d",
        "max_pooling3d",
        "maximum",
        "minimum",
        "model",
        "multi_head_attention",
        "multiply",
        "normalization",
        "permute",
        "p_re_lu",
        "re_lu",
        "repeat_vector",
        "rescaling",
        "reshape",
        "rms_normalization",
        "rnn",
        "separable_conv1d",
        "separable_conv2d",
        "sequential",
        "simple_rnn",
        "simple_rnn_cell",
        "softmax",
        "spectral_normalization",
        "subtract",
        "tf_op_lambda",
        "time_distributed",
        "unit_normalization",
        "up_sampling1d",
        "up_sampling2d",
        "zero_padding1d",
        "zero_padding2d",
        "zero_padding3d",
        "conv",
        "gemm",
        "matmul",
        "batchnormalization",
        "functional",
        "forward",
        "backward",
    ]
)


@lru_cache(maxsize=1 << 18)
def tokens(name: str) -> tuple[str, ...]:
    """The parts of a layer's name, lower case, without a storage suffix such as `:0` and without repeated
    neighbours.
    """
    parts: list[str] = []
    for part in SEPARATORS.split(re.sub(r":\d+$", "", name).lower()):
        if part and parts[-1:] != [part]:
            parts.append(part)
    return tuple(parts)


def stem(name: str) -> str:
    """A name's last part without its counter: `conv2d_12` gives `conv2d`."""
    last = tokens(name)[-1:] or ("",)
    return re.sub(r"_?\d+$", "", last[0])


@lru_cache(maxsize=1 << 18)
def is_automatic(name: str) -> bool:
    """True where every part was given by a framework (`dense_3`, `functional/conv2d`, `Conv__100`, `12`).

    It says nothing.
    """
    return all(
        re.sub(r"[_\d]+$", "", part) in AUTOMATIC or not re.search("[a-z]", part) for part in tokens(name)
    ) or not tokens(name)


def unwrapped(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Without leading parts that only wrap a model (`model.`, `module.`)."""
    while len(parts) > 1 and re.sub(r"[_\d]+$", "", parts[0]) in WRAPPERS:
        parts = parts[1:]
    return parts


def without_cell(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Without the cell that Keras names inside a recurrent layer.

    A state dict keeps it as a scope, a model does not.
    """
    return parts[:-1] if len(parts) > 1 and CELL.fullmatch(parts[-1]) else parts


def unique(names: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Telling names by their unwrapped tokens.

    Names that say nothing, or that two layers share, are left out.
    """
    keyed = [(without_cell(unwrapped(tokens(name))), name) for name in names if not is_automatic(name)]
    counts = Counter(key for key, _ in keyed)
    return {key: name for key, name in keyed if counts[key] == 1}


def same_names(source: Iterable[str], target: Iterable[str]) -> dict[str, str]:
    """target -> source where the two names are one name in normal form, or all are but for an affix that a
    whole side shares.
    """
    left, right = unique(source), unique(target)
    found = {right[key]: left[key] for key in right if key in left}
    return found or {right[t]: left[s] for t, s in same_inside(tuple(left), tuple(right)).items()}


def suffix_names(source: Iterable[str], target: Iterable[str]) -> dict[str, str]:
    """target -> source where one name ends with the whole of the other, and only one does (a prefix was added
    or removed).
    """
    left, right = unique(source), unique(target)
    found = _endings(left, right)
    found |= {t: s for s, t in _endings(right, left).items() if t not in found}
    counts = Counter(found.values())
    return {t: s for t, s in found.items() if counts[s] == 1}


def _endings(short: dict[tuple[str, ...], str], long: dict[tuple[str, ...], str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for key, name in long.items():
        for cut in range(1, len(key)):
            if key[cut:] in short:
                found.setdefault(name, []).append(short[key[cut:]])
                break
    return {name: items[0] for name, items in found.items()}


def likenesses(source: Sequence[str], target: Sequence[str]) -> Array:
    """Share of common name parts, 0 to 1, of every source name (rows) with every target name.

    For breaking ties only.
    """
    left_parts, right_parts = list(map(_name_parts, source)), list(map(_name_parts, target))
    shared = sorted(set[str]().union(*left_parts) & set[str]().union(*right_parts))
    left, right = _marks(left_parts, shared), _marks(right_parts, shared)
    left_sizes = np.array([len(parts) for parts in left_parts], np.float64)
    right_sizes = np.array([len(parts) for parts in right_parts], np.float64)
    common = (left @ right.T).astype(np.float64)
    together = left_sizes[:, None] + right_sizes[None, :] - common
    return (common / np.maximum(together, 1)).astype(np.float32)


def _name_parts(name: str) -> set[str]:
    parts = [part for token in tokens(name) for part in token.split("_")]
    return {part for part in parts if part}


def _marks(parts: Sequence[set[str]], known: Sequence[str]) -> Array:
    """One row for each name, one column for each known part: 1 where the name has it."""
    places = {part: n for n, part in enumerate(known)}
    marks = np.zeros((len(parts), len(places)), np.float32)
    for row, found in enumerate(parts):
        marks[row, [places[p] for p in found if p in places]] = 1
    return marks


def difference(pairs: Iterable[tuple[str, str]]) -> str:
    """How the two schemes differ, in words: a prefix, a suffix, a counter, or altogether."""
    kinds = Counter(_kind(source, target) for source, target in pairs if source != target)
    if len(kinds) > 1:
        return ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
    return next(iter(kinds), "nothing")


def _kind(source: str, target: str) -> str:
    if re.sub(r"\d+", "#", source) == re.sub(r"\d+", "#", target) or stem(source) == stem(target) != "":
        return "a counter" if tokens(source)[:-1] == tokens(target)[:-1] else "a prefix and a counter"
    if source.endswith(target):
        return f"the prefix {source.removesuffix(target)!r}"
    if target.endswith(source):
        return f"the prefix {target.removesuffix(source)!r}"
    if source.startswith(target) or target.startswith(source):
        suffix = source.removeprefix(target) if source.startswith(target) else target.removeprefix(source)
        return f"the suffix {suffix!r}"
    return "the whole scheme"
