"""TensorFlow's functions between the layers of tf.keras (TFOpLambda, TensorFlowOpLayer), by numpy."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.ops import OF_TENSORFLOW, function_of
from weightbridge.formats.keras.evaluate.values import Function, Given, activated
from weightbridge.model.tensors import Array

IDLE = frozenset({"name", "validate_indices", "validate_shape", "conjugate", "adjoint_a", "adjoint_b"})


def is_known(layer: ConfigLayer) -> bool:
    return layer.class_name in OF_TENSORFLOW and function_of(layer) in TABLE


def operation(given: Given) -> Any:
    """RunError for arguments that its row in the table does not have."""
    assert given.layer is not None, "the runner gives it"
    name = function_of(given.layer)
    keywords = {key: value for key, value in {**given.keywords, **given.named}.items() if key not in IDLE}
    try:
        return TABLE[name](*_positional(given), **keywords)
    except TypeError as error:
        raise RunError(f"{name} with these arguments is not computed here: {error}") from error


def _positional(given: Given) -> list[Any]:
    """Tensors and constants in their order; several tensors alone are one list."""
    if given.class_name == "TensorFlowOpLayer":
        return _with_constants(given)
    if given.arguments:
        return [_filled(argument, given.every) for argument in given.arguments]
    inputs = list(given.inputs)
    return inputs if len(inputs) == 1 else [inputs]


def _with_constants(given: Given) -> list[Any]:
    """The constants of a TensorFlowOpLayer stand at their own places."""
    found: list[Any] = list(given.inputs)
    constants: Mapping[str, Any] = given.config.get("constants") or {}
    for place in sorted(constants, key=int):
        found.insert(int(place), np.asarray(constants[place]))
    return found


def _filled(argument: Any, inputs: Any) -> Any:
    if isinstance(argument, Mapping) and argument.keys() == {"input"}:
        return inputs[argument["input"]]
    return [_filled(one, inputs) for one in argument] if isinstance(argument, tuple) else argument


def _item(x: Array, slice_spec: Any) -> Array:
    parts = slice_spec if isinstance(slice_spec, list | tuple) else [slice_spec]
    return np.asarray(x[tuple(map(_part, parts))])


def _part(part: Any) -> Any:
    if isinstance(part, Mapping) and part.keys() == {"start", "stop", "step"}:
        return slice(part["start"], part["stop"], part["step"])
    if isinstance(part, Mapping) and part.keys() == {"slice"}:
        return slice(*part["slice"])
    return ... if part == "..." else part


def _axes(axis: Any) -> Any:
    return tuple(int(a) for a in np.atleast_1d(axis)) if isinstance(axis, list | tuple | np.ndarray) else axis


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(input_tensor: Array, axis: Any = None, keepdims: bool = False) -> Array:
        return np.asarray(function(input_tensor, axis=_axes(axis), keepdims=keepdims))

    return reduce


def _of_two(function: Callable[..., Any]) -> Callable[..., Any]:
    """By TensorFlow's names of the two, which numpy's functions have not."""

    def apply(x: Any, y: Any) -> Any:
        return function(x, y)

    return apply


def _of_one(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: Any = None, features: Any = None, logits: Any = None) -> Any:
        return function(next(value for value in (x, features, logits) if value is not None))

    return apply


def _activation(name: str) -> Callable[..., Any]:
    return _of_one(lambda x: activated(x, name))


def _softmax(logits: Array, axis: int = -1) -> Array:
    return activated(logits, ("softmax", {"axis": axis}))


def _leaky_relu(features: Array, alpha: float = 0.2) -> Array:
    return activated(features, ("leaky_relu", {"slope": float(alpha)}))


def _gelu(features: Array, approximate: bool = False) -> Array:
    return activated(features, "gelu_tanh" if approximate else "gelu")


def _product(a: Array, b: Array, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    first = np.swapaxes(a, -1, -2) if transpose_a else a
    return np.asarray(first @ (np.swapaxes(b, -1, -2) if transpose_b else b))


def _unit(x: Array, axis: Any = -1, epsilon: float = 1e-12) -> Array:
    total = np.square(x).sum(axis=_axes(axis), keepdims=True)
    return np.asarray(x / np.sqrt(np.maximum(total, epsilon)))


def _shaped(tensor: Array, shape: Any) -> Array:
    return tensor.reshape([-1 if n is None else int(n) for n in shape])


def _squeezed(input: Array, axis: Any = None) -> Array:  # TensorFlow's name
    return np.squeeze(input, _axes(axis))


def _cast(x: Array, dtype: str) -> Array:
    """Numbers with a point stay in the dtype of the run."""
    is_float = "float" in str(dtype)
    return x if is_float and x.dtype.kind == "f" else x.astype(np.float64 if is_float else str(dtype))


def _padded(tensor: Array, paddings: Any, mode: str = "CONSTANT", constant_values: float = 0.0) -> Array:
    if mode.upper() != "CONSTANT":
        way: Any = mode.lower()  # a text that numpy checks
        return np.asarray(np.pad(tensor, paddings, mode=way))
    return np.pad(tensor, paddings, constant_values=constant_values)


def _tiled(input: Array, multiples: Any) -> Array:
    return np.tile(input, multiples)


def _chosen(condition: Array, x: Any, y: Any) -> Array:
    return np.asarray(np.where(condition, x, y))


def _clipped(t: Array, clip_value_min: float, clip_value_max: float) -> Array:
    return np.clip(t, clip_value_min, clip_value_max)


_TWO = {
    **dict.fromkeys(("add", "addv2", "biasadd"), np.add),
    **dict.fromkeys(("subtract", "sub"), np.subtract),
    **dict.fromkeys(("multiply", "mul"), np.multiply),
    **dict.fromkeys(("truediv", "divide", "div", "realdiv"), np.true_divide),
    "floordiv": np.floor_divide, "pow": np.power, "maximum": np.maximum, "minimum": np.minimum,
    "greater": np.greater, "greater_equal": np.greater_equal, "less": np.less, "less_equal": np.less_equal,
    "equal": np.equal, "not_equal": np.not_equal, "logical_and": np.logical_and, "logical_or": np.logical_or,
}  # fmt: skip
_ONE: Mapping[str, Any] = {
    "sqrt": np.sqrt, "square": np.square, "exp": np.exp, "log": np.log, "log1p": np.log1p, "abs": np.abs,
    "neg": np.negative, "negative": np.negative, "sin": np.sin, "cos": np.cos, "floor": np.floor,
    "ceil": np.ceil, "sign": np.sign, "reciprocal": np.reciprocal, "zeros_like": np.zeros_like,
    "ones_like": np.ones_like, "rsqrt": lambda x: 1 / np.sqrt(x), "logical_not": np.logical_not,
    "identity": lambda x: x, "stop_gradient": lambda x: x, "expm1": np.expm1,
}  # fmt: skip
_NAMED = ("relu", "relu6", "sigmoid", "tanh", "softplus", "softsign", "selu", "elu")
TABLE: Mapping[str, Callable[..., Any]] = {
    **{name: _of_two(function) for name, function in _TWO.items()},
    **{name: _of_one(function) for name, function in _ONE.items()},
    **{name: _activation(name) for name in _NAMED},
    **dict.fromkeys(("silu", "swish"), _activation("swish")),
    **{f"reduce_{name}": _reduced(getattr(np, name)) for name in ("mean", "sum", "max", "min", "prod")},
    "softmax": _softmax,
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
    "matmul": _product,
    "l2_normalize": _unit,
    "concat": lambda values, axis: np.concatenate(values, axis=int(axis)),
    "stack": lambda values, axis=0: np.stack(values, axis=int(axis)),
    "add_n": lambda inputs: np.asarray(sum(inputs)),
    "reshape": _shaped,
    "transpose": lambda a, perm=None: np.transpose(a, perm),
    "expand_dims": lambda input, axis: np.expand_dims(input, int(axis)),
    "squeeze": _squeezed,
    "cast": _cast,
    "clip_by_value": _clipped,
    "tile": _tiled,
    "where": _chosen,
    "gather": lambda params, indices, axis=0: np.take(params, np.asarray(indices), axis=axis),
    "cumsum": lambda x, axis=0: np.cumsum(x, axis=axis),
    "pad": _padded,
    "one_hot": lambda indices, depth: np.eye(int(depth))[np.asarray(indices, np.int64)],
    "getitem": _item,
    "_slice_helper": _item,
}
FUNCTIONS: dict[str, Function] = dict.fromkeys(OF_TENSORFLOW, operation)
