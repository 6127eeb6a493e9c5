"""A Keras layer's config -> canonical attributes (docs/attributes.md).

One short function per family of classes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weightbridge.formats.keras.architecture.activations import (
    activation,
    layer_activation,
    operation_activation,
)
from weightbridge.formats.keras.architecture.sliding import (
    Attributes,
    Config,
    border,
    convolution,
    data_format,
    global_pool,
    pool,
    resize,
)
from weightbridge.model.graph import Shape
from weightbridge.model.layouts import CUDNN


def attributes(op: str, class_name: str, config: Config, shape: Shape | None) -> Attributes:
    """The canonical attributes of a layer that is fed `shape` (without batch; None where unknown)."""
    family = FAMILIES.get(op)
    found = family(class_name, config, shape) if family else {}
    trainable = config.get("trainable", True)
    return {**found, "trainable": trainable if isinstance(trainable, bool) else True}


def frozen(value: Any) -> Any:
    """JSON-like with tuples instead of lists."""
    if isinstance(value, Mapping):
        return {str(k): frozen(v) for k, v in value.items()}
    return tuple(frozen(v) for v in value) if isinstance(value, list | tuple) else value


def _dense(_: str, config: Config, __: Shape | None) -> Attributes:
    return {
        "units": int(config["units"]),
        "use_bias": bool(config.get("use_bias", True)),
        "activation": activation(config.get("activation")),
    }


def _einsum(_: str, config: Config, __: Shape | None) -> Attributes:
    bias = config.get("bias_axes")
    found = {
        "equation": str(config["equation"]),
        "use_bias": bias is not None,
        "activation": activation(config.get("activation")),
    }
    return found | _told_shape(config)


def _told_shape(config: Config) -> Attributes:
    """The output shape that a config asks for, if any."""
    told = config.get("output_shape")
    if told is None:
        return {}
    return {"output_shape": frozen(told) if isinstance(told, list | tuple) else (told,)}


def _axis(config: Config, shape: Shape | None) -> Any:
    axis = config.get("axis", -1)
    axes = [int(a) for a in axis] if isinstance(axis, list | tuple) else [int(axis)]
    rank = None if shape is None else len(shape) + 1
    found = tuple(-1 if a in (-1, (rank or 0) - 1) else a for a in axes)
    return found[0] if len(found) == 1 else found


def _norm(class_name: str, config: Config, shape: Shape | None) -> Attributes:
    found: Attributes = {"epsilon": float(config.get("epsilon", 1e-3)), "axis": _axis(config, shape)}
    if class_name == "RMSNormalization":
        return {**found, "epsilon": float(config.get("epsilon", 1e-6)), "scale": True, "center": False}
    found |= {"scale": bool(config.get("scale", True)), "center": bool(config.get("center", True))}
    if "Batch" in class_name:
        found["momentum"] = float(config.get("momentum", 0.99))
    if class_name == "GroupNormalization":
        found["groups"] = int(config.get("groups", 32))
    return found


def _embedding(_: str, config: Config, __: Shape | None) -> Attributes:
    return {"input_dim": int(config["input_dim"]), "output_dim": int(config["output_dim"])}


def _recurrent(class_name: str, config: Config, _: Shape | None) -> Attributes:
    simple = class_name.startswith("SimpleRNN")
    found = {
        "units": int(config["units"]),
        "activation": activation(config.get("activation", "tanh")),
        "use_bias": bool(config.get("use_bias", True)),
        "go_backwards": bool(config.get("go_backwards", False)),
        "return_sequences": bool(config.get("return_sequences", False)),
    }
    if not simple:
        found["recurrent_activation"] = activation(config.get("recurrent_activation", "sigmoid"))
    if class_name in ("GRU", "GRUCell"):
        found["reset_after"] = bool(config.get("reset_after", True))
    if class_name.startswith("CuDNN"):
        found |= {"recurrent_activation": "sigmoid"} | cudnn_layout(class_name)
    return found


def cudnn_layout(class_name: str) -> Attributes:
    """What is said of the weights of a layer for CuDNN."""
    return {"weights": CUDNN} | ({"reset_after": True} if class_name == "CuDNNGRU" else {})


def _attention(_: str, config: Config, __: Shape | None) -> Attributes:
    key, value = config.get("key_dim", config.get("head_dim")), config.get("value_dim")
    found = {
        "heads": config.get("num_heads", config.get("num_query_heads")),
        "key_dim": key,
        "value_dim": key if value is None else value,
        "use_bias": bool(config.get("use_bias", True)),
    }
    if "num_key_value_heads" in config:
        found["key_value_heads"] = config["num_key_value_heads"]
    return found | _told_shape(config)


def _activation(class_name: str, config: Config, _: Shape | None) -> Attributes:
    name = layer_activation(class_name, config) or operation_activation(class_name, config)
    shared = config.get("shared_axes")
    return {"activation": name, "shared_axes": frozen(shared)} if shared else {"activation": name}


def _tail(value: Any) -> Any:
    """What an operation, which has the batch axis in its arguments, says of the others."""
    return value[1:] if isinstance(value, list) else None


def _plain(*keys: str) -> Callable[[str, Config, Shape | None], Attributes]:
    """Attributes that are the config's own, where it has them."""
    return lambda _, config, __: {key: frozen(config[key]) for key in keys if config.get(key) is not None}


FAMILIES: Mapping[str, Callable[[str, Config, Shape | None], Attributes]] = {
    "Conv": convolution,
    "ConvTranspose": convolution,
    "DepthwiseConv": convolution,
    "SeparableConv": convolution,
    "Dense": _dense,
    "EinsumDense": _einsum,
    "BatchNorm": _norm,
    "LayerNorm": _norm,
    "GroupNorm": _norm,
    "RMSNorm": _norm,
    "Embedding": _embedding,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Attention": _attention,
    "Pool": pool,
    "GlobalPool": global_pool,
    "Activation": _activation,
    "Pad": border,
    "Crop": border,
    "Resize": resize,
    "Concat": _plain("axis"),
    "Dot": _plain("axes", "normalize"),
    "Reshape": lambda _, config, __: {
        "shape": frozen(config["target_shape"] if "target_shape" in config else _tail(config.get("newshape")))
    },
    "Permute": lambda _, config, __: {
        "order": frozen(config["dims"] if "dims" in config else _tail(config.get("axes")))
    },
    "Flatten": lambda _, config, __: {"data_format": data_format(config)},
    "Dropout": _plain("rate"),
    "Noise": _plain("stddev", "rate"),
    "Repeat": _plain("n"),
    "Masking": _plain("mask_value"),
    "Rescaling": _plain("scale", "offset"),
    "Normalization": lambda _, config, shape: {"axis": _axis(config, shape)},
    "Opaque": lambda _, config, __: {
        str(k): frozen(v) for k, v in config.items() if k not in ("name", "layer", "layers", "cell", "cells")
    },
}
