"""A Keras layer's config -> canonical attributes (docs/attributes.md): one short function per family of
classes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weightbridge.formats.keras.architecture.activations import (
    activation,
    layer_activation,
    operation_activation,
)
from weightbridge.formats.keras.architecture.windows import explicit, pairs, per_axis, rank_of, spatial
from weightbridge.model.graph import Shape
from weightbridge.model.layouts import CUDNN

Config = Mapping[str, Any]
Attributes = dict[str, Any]


def attributes(op: str, class_name: str, config: Config, shape: Shape | None) -> Attributes:
    """The canonical attributes of a layer that is fed `shape` (without batch; None where unknown)."""
    family = FAMILIES.get(op)
    found = family(class_name, config, shape) if family else {}
    trainable = config.get("trainable", True)
    return {**found, "trainable": trainable if isinstance(trainable, bool) else True}


def data_format(config: Config) -> str:
    return "channels_first" if config.get("data_format") == "channels_first" else "channels_last"


def frozen(value: Any) -> Any:
    """JSON-like with tuples instead of lists."""
    if isinstance(value, Mapping):
        return {str(k): frozen(v) for k, v in value.items()}
    return tuple(frozen(v) for v in value) if isinstance(value, list | tuple) else value


def window(class_name: str, config: Config) -> dict[str, tuple[int, ...]]:
    """kernel, strides and dilation of a convolution or a pooling."""
    rank = rank_of(class_name)
    kernel = per_axis(config["pool_size"] if "Pooling" in class_name else config["kernel_size"], rank)
    strides = config.get("strides")
    strides = (
        (kernel if "Pooling" in class_name else (1,) * rank) if strides is None else per_axis(strides, rank)
    )
    return {"kernel": kernel, "strides": strides, "dilation": per_axis(config.get("dilation_rate", 1), rank)}


def _conv(class_name: str, config: Config, shape: Shape | None) -> Attributes:
    sizes, layout = window(class_name, config), data_format(config)
    transposed = class_name.endswith("Transpose")
    found = {
        "kernel_size": sizes["kernel"],
        "strides": sizes["strides"],
        "dilation": sizes["dilation"],
        "groups": int(config.get("groups", 1)),
        "padding": _padding(config, sizes, spatial(shape, layout), transposed=transposed),
        "data_format": layout,
        "use_bias": bool(config.get("use_bias", True)),
        "activation": activation(config.get("activation")),
    }
    if "filters" in config:
        found["filters"] = int(config["filters"])
    if "Depthwise" in class_name or "Separable" in class_name:
        found["depth_multiplier"] = int(config.get("depth_multiplier", 1))
    if config.get("output_padding") is not None:
        found["output_padding"] = per_axis(config["output_padding"], len(sizes["kernel"]))
    return {**found, **{key: config[key] for key in ("kernel_axes", "kernel_flipped") if key in config}}


def _padding(
    config: Config, sizes: dict[str, tuple[int, ...]], seen: Shape | None, *, transposed: bool = False
) -> Any:
    how = str(config.get("padding", "valid")).lower()
    if (
        transposed and how == "same"
    ):  # what is cut off the full output: it does not depend on the input's size
        spans = [
            d * (k - 1) + 1 - s
            for k, d, s in zip(sizes["kernel"], sizes["dilation"], sizes["strides"], strict=True)
        ]
        return tuple((max(s, 0) // 2, max(s, 0) - max(s, 0) // 2) for s in spans)
    return explicit(how, sizes, seen)


def _pool(class_name: str, config: Config, shape: Shape | None) -> Attributes:
    sizes, layout = window(class_name, config), data_format(config)
    return {
        "kind": "max" if "Max" in class_name else "average",
        "rank": len(sizes["kernel"]),
        "pool_size": sizes["kernel"],
        "strides": sizes["strides"],
        "padding": _padding(config, sizes, spatial(shape, layout)),
        "data_format": layout,
    }


def _global_pool(class_name: str, config: Config, _: Shape | None) -> Attributes:
    return {
        "kind": "max" if "Max" in class_name else "average",
        "keepdims": bool(config.get("keepdims", False)),
        "data_format": data_format(config),
    }


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
    return (
        {} if told is None else {"output_shape": frozen(told) if isinstance(told, list | tuple) else (told,)}
    )


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
    key = config.get("key_dim", config.get("head_dim"))
    heads = config.get("num_heads", config.get("num_query_heads"))
    value = config.get("value_dim")
    found = {
        "heads": heads,
        "key_dim": key,
        "value_dim": key if value is None else value,
        "use_bias": bool(config.get("use_bias", True)),
    }
    return (
        found
        | _told_shape(config)
        | ({"key_value_heads": config["num_key_value_heads"]} if "num_key_value_heads" in config else {})
    )


def _activation(class_name: str, config: Config, _: Shape | None) -> Attributes:
    found = layer_activation(class_name, config)
    shared = config.get("shared_axes")
    return {"activation": found if found else operation_activation(class_name, config)} | (
        {"shared_axes": frozen(shared)} if shared else {}
    )


def _around(class_name: str, config: Config, _: Shape | None) -> Attributes:
    """Padding and cropping."""
    key = "padding" if "Padding" in class_name else "cropping"
    found: Attributes = {
        "padding": pairs(config.get(key, 1), rank_of(class_name)),
        "data_format": data_format(config),
    }
    return {**found, "mode": "constant", "value": 0.0} if key == "padding" else found


def _resize(class_name: str, config: Config, _: Shape | None) -> Attributes:
    if class_name == "Resizing":
        return {
            "size": (config.get("height"), config.get("width")),
            "interpolation": config.get("interpolation", "bilinear"),
        }
    size = per_axis(config.get("size", 2), rank_of(class_name))
    return {
        "scale": size,
        "interpolation": config.get("interpolation", "nearest"),
        "data_format": data_format(config),
    }


def _tail(value: Any) -> Any:
    """What an operation, which has the batch axis in its arguments, says of the others."""
    return value[1:] if isinstance(value, list) else None


def _plain(*keys: str) -> Callable[[str, Config, Shape | None], Attributes]:
    """Attributes that are the config's own, where it has them."""
    return lambda _, config, __: {key: frozen(config[key]) for key in keys if config.get(key) is not None}


FAMILIES: Mapping[str, Callable[[str, Config, Shape | None], Attributes]] = {
    "Conv": _conv,
    "ConvTranspose": _conv,
    "DepthwiseConv": _conv,
    "SeparableConv": _conv,
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
    "Pool": _pool,
    "GlobalPool": _global_pool,
    "Activation": _activation,
    "Pad": _around,
    "Crop": _around,
    "Resize": _resize,
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
