"""The exact transforms: axis patterns by einops, and the few named ones that a pattern cannot say.

Each named transform takes the source arrays in the step's order and its parameters, and returns the target's
value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.model.axes import merges_or_drops, parse
from weightbridge.model.tensors import Array

Transform = Callable[[Sequence[Array], Mapping[str, Any]], Array]


def apply(transform: str, parameters: Mapping[str, Any], arrays: Sequence[Array]) -> Array:
    """The target's value: "" copies, a pattern rearranges, a name looks up TRANSFORMS.

    Raises KeyError for an unknown name (plans are checked when they are loaded).
    """
    if not transform:
        return arrays[0]
    if "->" in transform:
        return rearranged(arrays[0], transform, parameters)
    return TRANSFORMS[transform](arrays, parameters)


def rearranged(array: Array, pattern: str, parameters: Mapping[str, Any]) -> Array:
    from einops import rearrange  # planning can do without it

    names = {n for group in parse(pattern).source for n in group if not n.isdigit()}
    lengths = {n: int(size) for n, size in parameters.items() if n in names}
    if not merges_or_drops(pattern):
        lengths = {}
    return np.asarray(rearrange(array, pattern, **lengths), order="C")


def _constant(_: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    return np.full(tuple(parameters["shape"]), parameters["value"], np.float64)


def _gates(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Reorders blocks along an axis: `order` says which source block each target block takes; `pattern`
    rearranges after that.
    """
    array, axis, order = arrays[0], int(parameters["axis"]), parameters["order"]
    blocks = np.split(array, len(order), axis=axis)
    moved = np.concatenate([blocks[i] for i in order], axis=axis)
    return rearranged(moved, parameters["pattern"], parameters) if parameters.get("pattern") else moved


def _gate_bias(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Input and recurrent biases (halves of one array, or two arrays): gates reordered, then summed or
    stacked as (2, n).

    Joined with `zeros`, the one array there is has recurrent biases of zero put behind it, as (1, 2 n).
    """
    join, order = parameters["join"], parameters["order"]
    is_one = len(arrays) == 1 and join != "zeros"
    halves = np.split(arrays[0].reshape(-1), 2) if is_one else [a.reshape(-1) for a in arrays]
    moved = [np.concatenate([np.split(h, len(order))[i] for i in order]) for h in halves]
    if join == "zeros":
        return np.concatenate([moved[0], np.zeros_like(moved[0])])[np.newaxis]
    return np.stack(moved) if join == "stack" else moved[0] + moved[1]


def _select(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """One index along the first axis (a direction of a bidirectional layer), then `inner` with its own
    parameters.
    """
    chosen = [a[int(parameters["index"])] for a in arrays]
    return apply(parameters["inner"], parameters["parameters"], chosen)


def _batchnorm_gamma(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """gamma' = gamma sqrt((var + eps_target) / (var + eps_source)): the same function under another epsilon."""
    gamma, variance = (a.astype(np.float64) for a in arrays)
    scaled = gamma * np.sqrt(
        (variance + parameters["target_epsilon"]) / (variance + parameters["source_epsilon"])
    )
    return np.asarray(scaled)


def _affine(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """A chain of per-channel operations as BatchNorm values over mean 0 and variance 1: `scale` is gamma,
    `shift` is beta.

    `mean` is the moving mean that has the effect of the shift, for a BatchNorm without beta; `variance` the
    moving variance that has
    the effect of the scale, for one without gamma: NaN where the scale is not positive, as none has that
    effect.
    """
    scale: Array = np.ones(arrays[0].size)
    shift: Array = np.zeros(arrays[0].size)
    for operation, array in zip(parameters["ops"], arrays, strict=True):
        value = array.astype(np.float64).reshape(-1)
        match operation:
            case "multiply":
                scale, shift = scale * value, shift * value
            case "divide":
                scale, shift = scale / value, shift / value
            case "subtract":
                shift = shift - value
            case _:
                shift = shift + value
    epsilon = float(parameters["epsilon"])
    match parameters["value"]:
        case "mean":
            return np.asarray(-shift / scale)
        case "variance":
            return np.where(scale > 0, 1 / np.where(scale > 0, scale, 1) ** 2 - epsilon, np.nan)
        case "scale":
            return np.asarray(scale * np.sqrt(1 + epsilon))
        case _:
            return shift


def _standard_deviation(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Keras 1 stored `running_std`, which already is a variance; other writers stored a real deviation."""
    return np.square(arrays[0].astype(np.float64))


def _flip(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Spatial flip of a Theano kernel, then `pattern`."""
    flipped = np.flip(arrays[0], axis=tuple(parameters["axes"]))
    return (
        rearranged(flipped, parameters["pattern"], parameters)
        if parameters.get("pattern")
        else np.ascontiguousarray(flipped)
    )


def _concatenate(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    return np.concatenate(list(arrays), axis=int(parameters["axis"]))


def _split(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Part `index` of `parts` equal parts along an axis, then `pattern`."""
    part = np.split(arrays[0], int(parameters["parts"]), axis=int(parameters["axis"]))[
        int(parameters["index"])
    ]
    return rearranged(part, parameters["pattern"], parameters) if parameters.get("pattern") else part


def _slice(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """A run of rows along an axis (`start` to `stop`), of the array as `before` rearranges it, then
    `pattern`.

    Where the axis holds several equal `groups`, the same run of each of them.
    """
    array = rearranged(arrays[0], parameters["before"], parameters) if parameters.get("before") else arrays[0]
    axis, groups = int(parameters["axis"]) % array.ndim, int(parameters.get("groups", 1))
    rows = slice(int(parameters["start"]), int(parameters["stop"]))
    grouped = array.reshape(*array.shape[:axis], groups, -1, *array.shape[axis + 1 :])
    part = grouped[(slice(None),) * (axis + 1) + (rows,)]
    part = part.reshape(*array.shape[:axis], -1, *array.shape[axis + 1 :])
    return (
        rearranged(part, parameters["pattern"], parameters)
        if parameters.get("pattern")
        else np.ascontiguousarray(part)
    )


def _fuse(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Several arrays, each by its own pattern (`parts`: pattern and lengths), joined along an axis."""
    parts = [_by(part, array) for part, array in zip(parameters["parts"], arrays, strict=True)]
    return np.concatenate(parts, axis=int(parameters["axis"]))


def _stack(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Several arrays of one shape, all by one `pattern`, along a new first axis (the experts of a mixture).

    `parts` arrays in a row are first joined along their last axis (gate and up of one expert).
    """
    parts = int(parameters.get("parts", 1))
    moved = [_by(parameters, array) for array in arrays]
    return np.stack([np.concatenate(moved[i : i + parts], axis=-1) for i in range(0, len(moved), parts)])


def _by(parameters: Mapping[str, Any], array: Array) -> Array:
    return rearranged(array, parameters["pattern"], parameters) if parameters.get("pattern") else array


def _negate(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """The other sign, then `pattern`: slopes that an exporter keeps negated."""
    return _by(parameters, np.negative(arrays[0]))


def _fold_batchnorm(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """What an exporter makes of a BatchNorm: the kernel scaled along `axis`, the bias scaled and shifted, or
    the scale; then `pattern`.
    """
    values = {role: a.astype(np.float64) for role, a in zip(parameters["roles"], arrays, strict=True)}
    scale = values.get("gamma", 1.0) / np.sqrt(values["moving_variance"] + float(parameters["epsilon"]))
    if parameters.get("value") == "scale":
        return _by(parameters, np.asarray(scale))
    if "kernel" not in values:
        return _by(
            parameters,
            np.asarray((values.get("bias", 0.0) - values["moving_mean"]) * scale + values.get("beta", 0.0)),
        )
    kernel = values["kernel"]
    shape = [-1 if n == int(parameters["axis"]) else 1 for n in range(kernel.ndim)]
    return _by(parameters, kernel * np.reshape(scale, shape))


COMPUTED = frozenset({"fold-batchnorm", "constant", "affine", "batchnorm-gamma", "square", "negate"})


def is_bitwise(transform: str, parameters: Mapping[str, Any]) -> bool:
    """Whether values are only moved, and none is computed."""
    if transform == "gate-bias":
        return parameters.get("join") == "stack"
    if transform == "select":
        inner = parameters.get("parameters")
        return is_bitwise(str(parameters.get("inner", "")), inner if isinstance(inner, Mapping) else {})
    return not transform or "->" in transform or (transform in TRANSFORMS and transform not in COMPUTED)


TRANSFORMS: dict[str, Transform] = {
    "constant": _constant,
    "gates": _gates,
    "gate-bias": _gate_bias,
    "select": _select,
    "affine": _affine,
    "batchnorm-gamma": _batchnorm_gamma,
    "square": _standard_deviation,
    "flip": _flip,
    "concatenate": _concatenate,
    "split": _split,
    "slice": _slice,
    "fuse": _fuse,
    "stack": _stack,
    "negate": _negate,
    "fold-batchnorm": _fold_batchnorm,
}
