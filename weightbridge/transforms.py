"""The exact transforms: axis patterns by einops, and the few named ones that a pattern cannot say.

Each named transform takes the source arrays in the step's order and its parameters, and returns the target's
value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.computations import COMPUTATIONS
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
    """Blocks along an axis in another order, then `pattern`.

    order: which source block each target block takes.
    """
    axis, order = int(parameters["axis"]), parameters["order"]
    blocks = np.split(arrays[0], len(order), axis=axis)
    reordered = [blocks[i] for i in order]
    return _by(parameters, np.concatenate(reordered, axis=axis))


def _gate_bias(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
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


def _reordered(bias: Array, order: Sequence[int]) -> Array:
    blocks = np.split(bias, len(order))
    return np.concatenate([blocks[i] for i in order])


def _select(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """One index along the first axis (a direction of a bidirectional layer), then `inner`.

    parameters: those of `inner`.
    """
    chosen = [array[int(parameters["index"])] for array in arrays]
    return apply(parameters["inner"], parameters["parameters"], chosen)


def _rows(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Rows along `axis` by their numbers, in the order of `rows`; one may be taken several times."""
    return np.take(arrays[0], list(parameters["rows"]), axis=int(parameters["axis"]))


def _cudnn(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """What CuDNN's recurrent layers keep, as Keras's other layers keep it, and then `inner`; or `to` CuDNN.

    value: `kernel` (each of `gates` is kept transposed), `lstm-bias` (input and recurrent one in a row, which
    Keras adds up), `gru-bias` (the same as two rows). parameters: those of `inner`.
    """
    value, gates = parameters["value"], int(parameters["gates"])
    if parameters["way"] == "to":
        plain = apply(parameters["inner"], parameters["parameters"], arrays)
        return _to_cudnn(plain, value, gates)
    return apply(
        parameters["inner"],
        parameters["parameters"],
        [_from_cudnn(array, value, gates) for array in arrays],
    )


def _from_cudnn(array: Array, value: str, gates: int) -> Array:
    if value == "kernel":
        blocks = np.split(array, gates, axis=-1)
        return np.concatenate([block.reshape(block.shape[::-1]).T for block in blocks], axis=-1)
    rows = array.reshape(2, -1)
    return rows if value == "gru-bias" else rows[0] + rows[1]


def _to_cudnn(array: Array, value: str, gates: int) -> Array:
    if value == "kernel":
        blocks = np.split(array, gates, axis=-1)
        return np.concatenate([block.T.reshape(block.shape) for block in blocks], axis=-1)
    if value == "gru-bias":
        return array.reshape(-1)
    return np.concatenate([array, np.zeros_like(array)])  # only their sum counts


def _batchnorm_gamma(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """gamma' = gamma sqrt((var + eps_target) / (var + eps_source)): the same function, another epsilon."""
    gamma, variance = (array.astype(np.float64) for array in arrays)
    target_variance = variance + parameters["target_epsilon"]
    source_variance = variance + parameters["source_epsilon"]
    return np.asarray(gamma * np.sqrt(target_variance / source_variance))


def _affine(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """A chain of per-channel operations as BatchNorm values over mean 0 and variance 1.

    `scale` is gamma, `shift` is beta. `mean` is the moving mean that has the effect of the shift, for a
    BatchNorm without beta; `variance` the moving variance that has the effect of the scale, for one without
    gamma: NaN where the scale is not positive, as none has that effect.
    """
    scale, shift = _scale_and_shift(arrays, parameters["ops"])
    epsilon = float(parameters["epsilon"])
    match parameters["value"]:
        case "mean":
            return np.asarray(-shift / scale)
        case "variance":
            is_positive = scale > 0
            divisor = np.where(is_positive, scale, 1)
            return np.where(is_positive, 1 / divisor**2 - epsilon, np.nan)
        case "scale":
            return np.asarray(scale * np.sqrt(1 + epsilon))
    return shift


def _scale_and_shift(arrays: Sequence[Array], operations: Sequence[str]) -> tuple[Array, Array]:
    scale: Array = np.ones(arrays[0].size)
    shift: Array = np.zeros(arrays[0].size)
    for operation, array in zip(operations, arrays, strict=True):
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
    return scale, shift


def _standard_deviation(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Keras 1 stored `running_std`, which already is a variance; other writers stored a real deviation."""
    return np.square(arrays[0].astype(np.float64))


def _flip(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Spatial flip of a Theano kernel, then `pattern`."""
    flipped = np.flip(arrays[0], axis=tuple(parameters["axes"]))
    return _by(parameters, np.ascontiguousarray(flipped))


def _concatenate(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    return np.concatenate(list(arrays), axis=int(parameters["axis"]))


def _split(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Part `index` of `parts` equal parts along an axis, then `pattern`."""
    parts = np.split(arrays[0], int(parameters["parts"]), axis=int(parameters["axis"]))
    return _by(parameters, parts[int(parameters["index"])])


def _slice(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """A run of rows along an axis (`start` to `stop`), then `pattern`.

    before: a pattern that rearranges the array first. Where the axis holds several equal `groups`, the same
    run of each of them.
    """
    array = arrays[0]
    if parameters.get("before"):
        array = rearranged(array, parameters["before"], parameters)
    axis, groups = int(parameters["axis"]) % array.ndim, int(parameters.get("groups", 1))
    left, right = array.shape[:axis], array.shape[axis + 1 :]
    rows = slice(int(parameters["start"]), int(parameters["stop"]))
    every = (slice(None),) * (axis + 1)
    part = array.reshape(*left, groups, -1, *right)[(*every, rows)]
    return _by(parameters, np.ascontiguousarray(part.reshape(*left, -1, *right)))


def _fuse(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Several arrays, each by its own pattern (`parts`: pattern and lengths), joined along an axis."""
    parts = [_by(part, array) for part, array in zip(parameters["parts"], arrays, strict=True)]
    return np.concatenate(parts, axis=int(parameters["axis"]))


def _stack(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Several arrays of one shape, all by one `pattern`, along a new first axis: the experts of a mixture.

    `parts` arrays in a row are first joined along their last axis (gate and up of one expert).
    """
    parts = int(parameters.get("parts", 1))
    moved = [_by(parameters, array) for array in arrays]
    experts = [moved[i : i + parts] for i in range(0, len(moved), parts)]
    return np.stack([np.concatenate(expert, axis=-1) for expert in experts])


def _by(parameters: Mapping[str, Any], array: Array) -> Array:
    return rearranged(array, parameters["pattern"], parameters) if parameters.get("pattern") else array


def _negate(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """The other sign, then `pattern`: slopes that an exporter keeps negated."""
    return _by(parameters, np.negative(arrays[0]))


def _fold_batchnorm(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """What an exporter makes of a BatchNorm, then `pattern`.

    The kernel is scaled along `axis`, the bias scaled and shifted; `value` may ask for the scale itself.
    """
    values = {role: a.astype(np.float64) for role, a in zip(parameters["roles"], arrays, strict=True)}
    deviation = np.sqrt(values["moving_variance"] + float(parameters["epsilon"]))
    scale = values.get("gamma", 1.0) / deviation
    if parameters.get("value") == "scale":
        return _by(parameters, np.asarray(scale))
    if "kernel" not in values:
        centred = values.get("bias", 0.0) - values["moving_mean"]
        return _by(parameters, np.asarray(centred * scale + values.get("beta", 0.0)))
    kernel = values["kernel"]
    shape = [-1 if n == int(parameters["axis"]) else 1 for n in range(kernel.ndim)]
    return _by(parameters, kernel * np.reshape(scale, shape))


def _separable_product(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """The kernel `... i o` of the plain convolution that a separable one amounts to, then `pattern`.

    Of the kernels by channel (`... c m`) and by point (`1.. (c m) o`).
    """
    depth, point = (array.astype(np.float64) for array in arrays)
    by_channel = point.reshape(*depth.shape[-2:], point.shape[-1])
    return _by(parameters, np.einsum("...cm,cmo->...co", depth, by_channel))


def _behind(compute: Transform) -> Transform:
    """A computation, and what is done to the weight that it gives (`then`)."""

    def run(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
        value = compute(arrays, parameters)
        return apply(str(parameters.get("then", "")), parameters.get("with", {}), [value])

    return run


def _computed(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Several weights, each computed from its own parts, then another transform of all of them."""
    return apply(str(parameters["then"]), parameters["with"], gathered(parameters["weights"], arrays))


def gathered(weights: Sequence[Mapping[str, Any]], arrays: Sequence[Array]) -> list[Array]:
    """Weights from arrays: each takes the next `parts` of them."""
    values, start = [], 0
    for weight in weights:
        stop = start + int(weight["parts"])
        values.append(apply(str(weight["transform"]), weight["parameters"], arrays[start:stop]))
        start = stop
    return values


COMPUTED = frozenset(
    {
        "computed",
        "separable-product",
        *(COMPUTATIONS.keys() - {"rotary-order"}),
        "fold-batchnorm",
        "constant",
        "affine",
        "batchnorm-gamma",
        "square",
        "negate",
    }
)


def is_bitwise(transform: str, parameters: Mapping[str, Any]) -> bool:
    """Whether values are only moved, and none is computed."""
    if transform == "gate-bias":
        return parameters.get("join") == "stack"
    if transform == "rotary-order":
        behind = parameters.get("with")
        return is_bitwise(str(parameters.get("then", "")), behind if isinstance(behind, Mapping) else {})
    if transform == "select":
        return _is_inner_bitwise(parameters)
    if transform == "cudnn":
        return not _adds_biases(parameters) and _is_inner_bitwise(parameters)
    is_pattern = not transform or "->" in transform
    return is_pattern or transform in TRANSFORMS.keys() - COMPUTED


def _adds_biases(parameters: Mapping[str, Any]) -> bool:
    """Whether both biases of a CuDNN LSTM become the one of a plain LSTM."""
    return parameters.get("value") == "lstm-bias" and parameters.get("way") == "from"


def _is_inner_bitwise(parameters: Mapping[str, Any]) -> bool:
    inner = parameters.get("parameters")
    inner_parameters = inner if isinstance(inner, Mapping) else {}
    return is_bitwise(str(parameters.get("inner", "")), inner_parameters)


TRANSFORMS: dict[str, Transform] = {
    "constant": _constant,
    "gates": _gates,
    "gate-bias": _gate_bias,
    "select": _select,
    "cudnn": _cudnn,
    "rows": _rows,
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
    "separable-product": _separable_product,
    "fold-batchnorm": _fold_batchnorm,
    **{name: _behind(compute) for name, compute in COMPUTATIONS.items()},
    "computed": _computed,
}
