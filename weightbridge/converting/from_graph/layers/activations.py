"""Activations: layers of Keras's own where there is one, else the name of a function."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Layout
from weightbridge.converting.from_graph.source.constants import LARGEST
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.activations import name_and_parameters
from weightbridge.model.graph import Layer

PLAIN: Mapping[str, str] = {
    **{name: name for name in (
        "relu", "relu6", "sigmoid", "tanh", "log_softmax", "selu", "softplus", "softsign", "mish",
        "exponential", "gelu", "elu", "hard_sigmoid", "softmax", "linear", "log_sigmoid",
    )},
    "swish": "silu", "silu": "silu", "hard_swish": "hard_silu", "hard_silu": "hard_silu", "celu": "celu",
    "exp": "exponential", "tanh_shrink": "tanh_shrink", "squareplus": "squareplus",
    "sparse_plus": "sparse_plus", "hard_tanh": "hard_tanh",
    "hard_shrink": "hard_shrink", "soft_shrink": "soft_shrink",
}  # fmt: skip
LAST_AXIS = frozenset({"softmax", "log_softmax"})
RECTIFIERS: Mapping[str, Mapping[str, Any]] = {"relu": {}, "relu6": {"max_value": 6.0}}
DEFAULT_NAME = re.compile(r"activation(_\d+)?")
Made = tuple[str, dict[str, Any]]


def fused_name(call: Call) -> dict[str, Any]:
    """The activation that becomes a setting of the layer, for its configuration."""
    if call.fused is None:
        return {}
    return {"activation": PLAIN[name_and_parameters(call.fused.attributes["activation"])[0]]}


def is_fusible(activation: Layer, layer: Layer) -> bool:
    """Whether a layer may have it as a setting: a function by its name alone, softmax over features."""
    name, parameters = name_and_parameters(activation.attributes["activation"])
    if name not in LAST_AXIS:
        return name in PLAIN and not parameters
    axis = parameters.get("axis", activation.settings.get("axis"))
    rank = None if layer.output_shape is None else len(layer.output_shape) + 1
    is_last = axis == -1 or (rank is not None and axis == rank - 1)
    return rank == 2 or (layer.op == "Dense" and is_last)


def is_own(layer: Layer, activation: Layer) -> bool:
    """Whether no module or layer of the source is the activation: a function that its scope calls."""
    if activation.name.startswith(f"{layer.name}/"):
        return True
    if re.fullmatch(rf"node_{re.escape(activation.class_name)}(_\d+)?", activation.name, re.IGNORECASE):
        return True  # torch's newer exporter, which names no scope
    scope, _, function = activation.name.rpartition("/")
    is_function = re.fullmatch(rf"{re.escape(activation.class_name)}(_\d+)?", function) is not None
    return is_function and scope == layer.name.rpartition(".")[0]


def _activation(call: Call) -> Value:
    name, parameters = _told(call)
    if name in LAST_AXIS:
        return _over_axis(call, name, parameters)
    if name == "prelu":
        return _prelu(call)
    if name in SCALED and parameters:
        return SCALED[name](call, parameters)
    if name in OPERATIONS and (parameters or name not in PLAIN):
        path, config = OPERATIONS[name](parameters, call.first.dtype)
        layer = call.writer.operation(path, call.name, config, [call.first])
        return call.first.after(layer)
    if name in PLAIN and not parameters:
        return _same(call, *_by_name(call.name, PLAIN[name]))
    if name not in LAYERS:
        raise Unsupported(f"computes the activation {name}, for which there is no layer")
    return _same(call, *LAYERS[name](parameters))


def _told(call: Call) -> tuple[str, Mapping[str, Any]]:
    """Whole numbers are cut by Keras's Clip alone."""
    name, parameters = name_and_parameters(call.settings["activation"])
    if name == "hard_tanh" and "float" not in call.first.dtype:
        return "clip", {"min": -1, "max": 1}
    return name, parameters


def _by_name(layer: str, name: str) -> Made:
    """Layers of Keras's own for one function each, but where the name is the one that Activation gets."""
    if name in RECTIFIERS and not is_named_activation(layer):
        return "ReLU", dict(RECTIFIERS[name])
    return "Activation", {"activation": name}


def is_named_activation(layer: str) -> bool:
    """Whether a layer has the name that Keras gives an Activation: `activation_3`."""
    return DEFAULT_NAME.fullmatch(layer.rpartition("/")[2]) is not None


def _same(call: Call, class_name: str, config: Mapping[str, Any]) -> Value:
    name = call.writer.layer(class_name, call.name, config, call.first)
    return call.first.after(name)


def _over_axis(call: Call, name: str, parameters: Mapping[str, Any]) -> Value:
    """Keras has them over any axis, where the source's axis is one of Keras's."""
    axes = _normalised(call, int(parameters.get("axis", call.settings.get("axis", -1))))
    value = call.first
    if any(value.layout.place(axis) is None for axis in axes):
        value = apart(call.writer, value, call.name)
    places = [place for axis in axes if (place := value.layout.place(axis)) is not None]
    if len(places) < len(axes):
        raise Unsupported(f"computes {name} over an axis of length one")
    made = _placed(call, name, value, sorted(places))
    return value.after(made)


def _normalised(call: Call, axis: int) -> list[int]:
    """The source's axes that sum to one together: before ONNX 13 all of several places from `axis` on."""
    layout = call.first.layout
    axis = layout.axis(axis)
    if not call.settings.get("joined"):
        return [axis]
    return [n for n in range(axis, layout.rank) if layout.source_shape[n] != 1] or [axis]


def _placed(call: Call, name: str, value: Value, places: list[int]) -> str:
    is_last = places == [len(value.layout.keras) - 1]
    if name == "softmax" and not (is_last and is_named_activation(call.name)):
        axis = -1 if is_last else places[0] if len(places) == 1 else places
        return call.writer.layer("Softmax", call.name, {"axis": axis}, value)
    if len(places) > 1:
        raise Unsupported(f"computes {name} over several axes together, which Keras does over one")
    if is_last:
        return call.writer.layer("Activation", call.name, {"activation": name}, value)
    return call.writer.operation("nn.LogSoftmax", call.name, {"axis": places[0]}, [value])


def _scaled_hard_sigmoid(call: Call, parameters: Mapping[str, Any]) -> Value:
    """clip(slope x + offset) is Keras 3's relu6(z + 3) / 6 of z = 6 slope x + 6 offset - 3."""
    slope, offset = float(parameters["slope"]), float(parameters["offset"])
    config = {"scale": 6 * slope, "offset": round(6 * offset - 3, 12)}
    scaled = call.writer.layer("Rescaling", f"{call.name}_scaled", config, call.first)
    value = call.first.after(scaled)
    call.writer.rewrote("a hard sigmoid of another slope is Keras's behind a Rescaling", call.name)
    name = call.writer.layer("Activation", call.name, {"activation": "hard_sigmoid"}, value)
    return value.after(name)


def _scaled_elu(call: Call, parameters: Mapping[str, Any]) -> Value:
    """Selu of other numbers is gamma elu(x), with its alpha."""
    elu = call.writer.layer("ELU", f"{call.name}_elu", {"alpha": float(parameters["alpha"])}, call.first)
    value = call.first.after(elu)
    call.writer.rewrote("a selu of other numbers is an ELU and a Rescaling", call.name)
    config = {"scale": float(parameters["gamma"]), "offset": 0.0}
    name = call.writer.layer("Rescaling", call.name, config, value)
    return value.after(name)


def _prelu(call: Call) -> Value:
    """One slope for each channel, shared along all other axes."""
    alpha, value = call.needed("alpha"), call.first
    value = apart(call.writer, value, call.name)
    seen = tuple(call.settings.get("slopes") or alpha.shape)
    axes = _axes_of_slopes(value.layout, seen)
    shape = tuple(value.layout.shape[n] if axis in axes else 1
                  for n, axis in enumerate(one_by_one(value.layout)))[1:]  # fmt: skip
    if None in shape:
        raise Unsupported("has a slope for each place of an axis whose length is not known")
    shared = [n + 1 for n, length in enumerate(shape) if length == 1]
    name, number = call.keras("PReLU", {"shared_axes": shared}, value)
    transform, parameters = _slopes(alpha.shape, seen, value.layout)
    if "alpha" in (call.settings.get("negated") or ()):
        transform, parameters = "negate", {"pattern": transform, **parameters}
    call.weight(name, "alpha", tuple(n or 1 for n in shape), alpha, transform, parameters)
    return value.after(name, number)


def _axes_of_slopes(layout: Layout, shape: tuple[int, ...]) -> set[int]:
    return {layout.rank - len(shape) + n for n, length in enumerate(shape) if length > 1}


def _slopes(stored: tuple[int, ...], seen: tuple[int, ...], layout: Layout) -> tuple[str, dict[str, Any]]:
    """The slopes' axes, which stand against the source's last ones, as Keras has them without the batch."""
    first = layout.rank - len(seen)
    long = {first + n: length for n, length in enumerate(seen) if length > 1}
    _refuse_turned(stored, seen)
    names = {axis: f"a{axis}" for axis in long}
    left = iter(names.values())
    source = " ".join("1" if length == 1 else next(left) for length in stored)
    target = " ".join(names.get(axis, "1") for axis in one_by_one(layout)[1:])
    return f"{source} -> {target}", {names[axis]: length for axis, length in long.items()}


def _refuse_turned(stored: tuple[int, ...], seen: tuple[int, ...]) -> None:
    if [n for n in stored if n > 1] != [n for n in seen if n > 1]:
        raise Unsupported(f"has slopes of shape {stored}, which it turns")


LAYERS: Mapping[str, Callable[[Mapping[str, Any]], Made]] = {
    "leaky_relu": lambda p: ("LeakyReLU", {"negative_slope": float(p.get("slope", 0.2))}),
    "elu": lambda p: ("ELU", {"alpha": float(p.get("alpha", 1.0))}),
    "relu": lambda p: ("ReLU", {"max_value": p.get("max_value"), "negative_slope": p.get("slope", 0.0),
                                "threshold": p.get("threshold", 0.0)}),
    "thresholded_relu": lambda p: ("ReLU", {"threshold": float(p.get("theta", 1.0))}),
}  # fmt: skip


def _clip(parameters: Mapping[str, Any], dtype: str) -> Made:
    """A bound that is missing is the largest number that the values' type holds."""
    low, high = parameters.get("min"), parameters.get("max")
    is_float = "float" in dtype
    number = float if is_float else int
    least, most = (-LARGEST, LARGEST) if is_float else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return "numpy.Clip", {
        "x_min": least if low is None else number(low),
        "x_max": most if high is None else number(high),
    }


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any], str], Made]] = {
    "clip": _clip,
    "gelu_tanh": lambda *_: ("nn.Gelu", {"approximate": True}),
    "celu": lambda p, _: ("nn.Celu", {"alpha": float(p.get("alpha", 1.0))}),
    "hard_shrink": lambda p, _: ("nn.HardShrink", {"threshold": float(p["threshold"])}),
    "soft_shrink": lambda p, _: ("nn.SoftShrink", {"threshold": float(p["threshold"])}),
}

SCALED: Mapping[str, Callable[[Call, Mapping[str, Any]], Value]] = {
    "hard_sigmoid": _scaled_hard_sigmoid,
    "selu": _scaled_elu,
}
BUILDERS: Mapping[str, Builder] = {"Activation": _activation}
