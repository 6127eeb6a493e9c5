"""Configs of convolutions, pooling, padding and cropping -> canonical attributes."""

from collections.abc import Mapping
from typing import Any

from weightbridge.formats.keras.architecture.activations import (
    activation,
)
from weightbridge.formats.keras.architecture.windows import explicit, pairs, per_axis, rank_of, spatial
from weightbridge.model.graph import Shape

Config = Mapping[str, Any]
Attributes = dict[str, Any]


def convolution(class_name: str, config: Config, shape: Shape | None) -> Attributes:
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
        extra = per_axis(config["output_padding"], len(sizes["kernel"]))
        found |= {"output_padding": extra, "padding": _cut_off_but(extra, config, sizes)}
    return found | {key: config[key] for key in ("kernel_axes", "kernel_flipped") if key in config}


def window(class_name: str, config: Config) -> dict[str, tuple[int, ...]]:
    """kernel, strides and dilation of a convolution or a pooling."""
    rank = rank_of(class_name)
    is_pooling = "Pooling" in class_name
    kernel = per_axis(config["pool_size" if is_pooling else "kernel_size"], rank)
    strides = config.get("strides")
    default = kernel if is_pooling else (1,) * rank
    return {
        "kernel": kernel,
        "strides": default if strides is None else per_axis(strides, rank),
        "dilation": per_axis(config.get("dilation_rate", 1), rank),
    }


def _padding(
    config: Config, sizes: dict[str, tuple[int, ...]], seen: Shape | None, *, transposed: bool = False
) -> Any:
    how = str(config.get("padding", "valid")).lower()
    return _cut_off(sizes) if transposed and how == "same" else explicit(how, sizes, seen)


def _cut_off(sizes: dict[str, tuple[int, ...]]) -> tuple[tuple[int, int], ...]:
    """What `same` cuts off a transposed convolution's output; it does not depend on the input's size."""
    padding = []
    for kernel, dilation, stride in zip(sizes["kernel"], sizes["dilation"], sizes["strides"], strict=True):
        surplus = max(dilation * (kernel - 1) + 1 - stride, 0)
        before = surplus // 2
        padding.append((before, surplus - before))
    return tuple(padding)


def _cut_off_but(
    extra: tuple[int, ...], config: Config, sizes: dict[str, tuple[int, ...]]
) -> tuple[tuple[int, int], ...]:
    """The same where `output_padding` is given, which is part of it, as Keras computes it with TensorFlow.

    3, stride 2, same, 1 more -> (0, 1); 3, stride 2, valid, 1 more -> (0, -1)
    """
    is_same = str(config.get("padding", "valid")).lower() == "same"
    spans = [d * (k - 1) + 1 for k, d in zip(sizes["kernel"], sizes["dilation"], strict=True)]
    surplus = [(2 * (span // 2) if is_same else 0) - more for span, more in zip(spans, extra, strict=True)]
    before = [max(n, 0) // 2 if is_same else 0 for n in surplus]
    return tuple((first, n - first) for first, n in zip(before, surplus, strict=True))


def pool(class_name: str, config: Config, shape: Shape | None) -> Attributes:
    sizes, layout = window(class_name, config), data_format(config)
    return {
        "kind": "max" if "Max" in class_name else "average",
        "rank": len(sizes["kernel"]),
        "pool_size": sizes["kernel"],
        "strides": sizes["strides"],
        "padding": _padding(config, sizes, spatial(shape, layout)),
        "data_format": layout,
    }


def global_pool(class_name: str, config: Config, _: Shape | None) -> Attributes:
    return {
        "kind": "max" if "Max" in class_name else "average",
        "keepdims": bool(config.get("keepdims", False)),
        "data_format": data_format(config),
    }


def border(class_name: str, config: Config, _: Shape | None) -> Attributes:
    """Padding and cropping."""
    key = "padding" if "Padding" in class_name else "cropping"
    found: Attributes = {
        "padding": pairs(config.get(key, 1), rank_of(class_name)),
        "data_format": data_format(config),
    }
    return {**found, "mode": "constant", "value": 0.0} if key == "padding" else found


def resize(class_name: str, config: Config, _: Shape | None) -> Attributes:
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


def data_format(config: Config) -> str:
    return "channels_first" if config.get("data_format") == "channels_first" else "channels_last"
