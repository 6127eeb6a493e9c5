"""Keras's ways to write an activation -> a canonical name, or (name, {parameters})."""

from collections.abc import Mapping
from typing import Any

from weightbridge.model.activations import OLD_HARD_SIGMOID, Activation

SYNONYMS = {
    "silu": "swish",
    "hard_silu": "hard_swish",
    "logsoftmax": "log_softmax",
    "identity": "linear",
    "linear": "linear",
}
OLDER: dict[str, Activation] = {"keras2_hard_sigmoid": OLD_HARD_SIGMOID}
OPERATIONS = {  # by their classes in keras.ops, where those do not say it in small letters
    "Silu": "swish",
    "HardSilu": "hard_swish",
    "HardSigmoid": "hard_sigmoid",
    "HardTanh": "hard_tanh",
    "HardShrink": "hard_shrink",
    "SoftShrink": "soft_shrink",
    "TanhShrink": "tanh_shrink",
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
}
NUMBERS: Mapping[str, Mapping[str, float]] = {  # what else an operation is told, and its default
    "celu": {"alpha": 1.0},
    "elu": {"alpha": 1.0},
    "hard_shrink": {"threshold": 0.5},
    "soft_shrink": {"threshold": 0.5},
    "squareplus": {"b": 4},
}
SLOPES = {"leaky_relu": 0.2, "LeakyReLU": 0.3}  # Keras's defaults of the function and of the layer


def activation(value: Any) -> Activation:
    """The activation of a config: a name, None, a serialised function, or a serialised layer."""
    if value is None:
        return "linear"
    if isinstance(value, str):
        return _function(value, {})
    if isinstance(value, tuple):  # already canonical: a dialect rule has put it there
        return value
    if not isinstance(value, Mapping):
        return "unknown"
    config, name = value.get("config"), str(value.get("class_name"))
    if name == "function" or not isinstance(config, Mapping):
        return _function(str(config if isinstance(config, str) else name), {})
    layer = layer_activation(name, config)
    return layer if layer else _function(str(value.get("registered_name") or name), {})


def layer_activation(class_name: str, config: Mapping[str, Any]) -> Activation | None:
    """The activation that a layer class is; None for a class that is none."""
    match class_name:
        case "Activation":
            return activation(config.get("activation"))
        case "ReLU":
            return _relu(config)
        case "LeakyReLU":
            return "leaky_relu", {
                "slope": float(config.get("negative_slope", config.get("alpha", SLOPES["LeakyReLU"])))
            }
        case "ELU":
            return _with("elu", alpha=(float(config.get("alpha", 1.0)), 1.0))
        case "Softmax":
            axis = config.get("axis", -1)
            return _with("softmax", axis=(tuple(axis) if isinstance(axis, list) else axis, -1))
        case "PReLU":
            return "prelu"
        case "ThresholdedReLU":
            return "thresholded_relu", {"theta": float(config.get("theta", 1.0))}
    return None


def operation_activation(class_name: str, config: Mapping[str, Any]) -> Activation:
    """The activation of an operation node such as `Gelu`, with its parameters."""
    name = OPERATIONS.get(class_name, class_name.lower())
    if name == "gelu":
        return "gelu_tanh" if config.get("approximate", True) else "gelu"
    axis = config.get("axis", -1)
    told = {key: (config.get(key, usual), usual) for key, usual in NUMBERS.get(name, {}).items()}
    return _with(name, axis=(tuple(axis) if isinstance(axis, list) else axis, -1), **told)


def _function(name: str, config: Mapping[str, Any]) -> Activation:
    short = name.rsplit(">", 1)[-1].rsplit(".", 1)[-1]
    short = SYNONYMS.get(short, short)
    if short in OLDER:
        return OLDER[short]
    return (short, {"slope": SLOPES[short]}) if short in SLOPES and not config else short


def _relu(config: Mapping[str, Any]) -> Activation:
    ceiling, slope, threshold = (
        config.get("max_value"),
        config.get("negative_slope") or 0.0,
        config.get("threshold") or 0.0,
    )
    if ceiling == 6 and not slope and not threshold:
        return "relu6"
    if slope and ceiling is None and not threshold:
        return "leaky_relu", {"slope": float(slope)}
    return _with("relu", max_value=(ceiling, None), slope=(slope, 0.0), threshold=(threshold, 0.0))


def _with(name: str, **parameters: tuple[Any, Any]) -> Activation:
    """The name alone where every parameter has its default."""
    own = {key: value for key, (value, default) in parameters.items() if value != default}
    return (name, own) if own else name
