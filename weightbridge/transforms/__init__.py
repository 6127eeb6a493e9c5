"""The exact transforms: axis patterns by einops, and the few named ones that a pattern cannot say.

Each named transform takes the source arrays in the step's order and its parameters, and returns the target's
value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.model.axes import merges_or_drops, parse
from weightbridge.model.tensors import Array
from weightbridge.transforms.computations import COMPUTATIONS
from weightbridge.transforms.interpolation import interpolation
from weightbridge.transforms.norms import affine, batchnorm_gamma, batchnorm_variance, squared
from weightbridge.transforms.recurrent import from_cudnn, gate_bias, to_cudnn

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


def _select(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """One index along the first axis (a direction of a bidirectional layer), then `inner`.

    parameters: those of `inner`.
    """
    chosen = [array[int(parameters["index"])] for array in arrays]
    return apply(parameters["inner"], parameters["parameters"], chosen)


def _rows(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Rows along `axis` by their numbers, in the order of `rows`, then `pattern`.

    A row may be taken several times.
    """
    return _by(parameters, np.take(arrays[0], list(parameters["rows"]), axis=int(parameters["axis"])))


def _cudnn(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """What CuDNN's recurrent layers keep, as Keras's other layers keep it, and then `inner`; or `to` CuDNN.

    value: `kernel` (each of `gates` is kept transposed), `lstm-bias` (input and recurrent one in a row, which
    Keras adds up), `gru-bias` (the same as two rows). parameters: those of `inner`.
    """
    value, gates = parameters["value"], int(parameters["gates"])
    if parameters["way"] == "to":
        plain = apply(parameters["inner"], parameters["parameters"], arrays)
        return to_cudnn(plain, value, gates)
    return apply(
        parameters["inner"],
        parameters["parameters"],
        [from_cudnn(array, value, gates) for array in arrays],
    )


def _scaled(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """`inner`, and then a factor on some (`blocks`) of the `parts` equal blocks of the last axis."""
    plain = apply(parameters["inner"], parameters["parameters"], arrays)
    factors = np.ones(int(parameters["parts"]))
    factors[list(parameters["blocks"])] = float(parameters["factor"])
    scaled = plain.astype(np.float64) * np.repeat(factors, plain.shape[-1] // factors.size)
    return np.asarray(scaled, plain.dtype)


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


def _reciprocal(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """One by each number, then `pattern`: what divides becomes what multiplies."""
    return _by(parameters, 1.0 / arrays[0].astype(np.float64))


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
        "scaled",
        "separable-product",
        *(COMPUTATIONS.keys() - {"rotary-order"}),
        "fold-batchnorm",
        "constant",
        "interpolation",
        "affine",
        "batchnorm-gamma",
        "batchnorm-variance",
        "square",
        "negate",
        "reciprocal",
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
    "interpolation": interpolation,
    "gates": _gates,
    "gate-bias": gate_bias,
    "select": _select,
    "cudnn": _cudnn,
    "scaled": _scaled,
    "rows": _rows,
    "affine": affine,
    "batchnorm-gamma": batchnorm_gamma,
    "batchnorm-variance": batchnorm_variance,
    "square": squared,
    "flip": _flip,
    "concatenate": _concatenate,
    "split": _split,
    "slice": _slice,
    "fuse": _fuse,
    "stack": _stack,
    "negate": _negate,
    "reciprocal": _reciprocal,
    "separable-product": _separable_product,
    "fold-batchnorm": _fold_batchnorm,
    **{name: _behind(compute) for name, compute in COMPUTATIONS.items()},
    "computed": _computed,
}
