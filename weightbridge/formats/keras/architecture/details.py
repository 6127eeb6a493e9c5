"""A Keras layer's config and call -> its details.

What rebuilding it needs beyond the attributes that are compared.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weightbridge.formats.keras.architecture.arguments import Call
from weightbridge.formats.keras.architecture.attributes import frozen
from weightbridge.formats.keras.architecture.config import ConfigLayer

Config = Mapping[str, Any]
Details = dict[str, Any]
HOUSEKEEPING = frozenset(
    {"name", "trainable", "dtype", "seed", "batch_input_shape", "batch_shape", "function"}
)
HALF_PIXEL = ("bilinear", "bicubic", "lanczos3", "lanczos5")
RECURRENT_DEFAULTS: Mapping[str, Any] = {
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "return_state": False,
    "stateful": False,
    "unroll": False,
    "zero_output_for_mask": False,
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {  # op -> key of the config -> Keras's default
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENT_DEFAULTS),
    "Embedding": {"mask_zero": False},
    "Dropout": {"noise_shape": None},
    "BatchNorm": {"renorm": False, "synchronized": False},
    "LayerNorm": {"rms_scaling": False},
    "Attention": {"dropout": 0.0, "attention_axes": None, "use_gate": False},
    "EinsumDense": {"bias_axes": None},
    "Normalization": {"mean": None, "variance": None, "invert": False},
    "Input": {"sparse": False, "ragged": False, "optional": False},
    "Cast": {"dtype": None},
}
PADDED = frozenset({"Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv", "Pool"})
WHOLE = frozenset({"Noise", "Crop", "Slice"})  # ops of many classes: all that their configs say
WRAPPER_KEYS = ("merge_mode", "return_sequences", "return_state", "go_backwards", "stateful", "unroll",
                "zero_output_for_mask", "time_major")  # fmt: skip


def details(op: str, layer: ConfigLayer, call: Call, attributes: Mapping[str, Any]) -> Details:
    """The details of one call of a layer, under names that its attributes do not have."""
    family = FAMILIES.get(op)
    known = {
        **_with_defaults(op, layer.config),
        **_as_written(op, layer),
        **(family(layer.class_name, layer.config, call) if family else {}),
        **_call(call),
    }
    precision = _precision(layer.config.get("dtype"))
    if precision != "float32" and op != "Input":
        known["precision"] = precision
    return {key: value for key, value in known.items() if value is not None and key not in attributes}


def _with_defaults(op: str, config: Config) -> Details:
    defaults = DEFAULTS.get("LSTM" if op == "RNN" else op, {})
    found = {key: frozen(config.get(key, default)) for key, default in defaults.items()}
    if op in PADDED:
        found["padding_mode"] = str(config.get("padding", "valid")).lower()
    return found


def _as_written(op: str, layer: ConfigLayer) -> Details:
    """What stands in the config under names that are canonical already."""
    config = layer.config
    if op in WHOLE:
        return {str(key): frozen(value) for key, value in config.items() if key not in HOUSEKEEPING}
    keys = WRAPPER_KEYS if layer.layers else ()
    return {key: frozen(config[key]) for key in keys if key in config}


def _call(call: Call) -> Details:
    """Constants of the call, where it has any."""
    keywords = {key: frozen(value) for key, value in call.keywords.items() if key != "name"}
    arguments = {"arguments": frozen(call.arguments)} if call.arguments else {}
    return arguments | ({"keywords": keywords} if keywords else {})


def _precision(dtype: Any) -> str | None:
    """The name of a layer's dtype policy: `float32`, `mixed_float16`."""
    if isinstance(dtype, str):
        return dtype
    if not isinstance(dtype, Mapping):
        return "float32"
    config = dtype.get("config")
    name = config.get("name") if isinstance(config, Mapping) else None
    return name if isinstance(name, str) else None


def _pool(class_name: str, _: Config, __: Call) -> Details:
    is_average = class_name.startswith("Average")
    return {"ceil_mode": False, **({"count_include_pad": False} if is_average else {})}


def _resize(class_name: str, config: Config, _: Call) -> Details:
    """Keras resizes about the middles of pixels; UpSampling repeats them where it does not interpolate."""
    how = config.get("interpolation", "bilinear" if class_name == "Resizing" else "nearest")
    if class_name != "Resizing":
        return {"coordinate_transformation": "half_pixel" if how in HALF_PIXEL else "asymmetric"}
    told = (
        "crop_to_aspect_ratio",
        "pad_to_aspect_ratio",
        "fill_mode",
        "fill_value",
        "antialias",
        "data_format",
    )
    found = {key: frozen(config[key]) for key in told if key in config}
    return {"coordinate_transformation": "half_pixel"} | found


def _attention(_: str, __: Config, call: Call) -> Details:
    return {"use_causal_mask": bool(call.keywords.get("use_causal_mask", False))}


def _recurrent(_: str, config: Config, __: Call) -> Details:
    """What only older Keras could say."""
    return {"time_major": frozen(config["time_major"])} if "time_major" in config else {}


FAMILIES: Mapping[str, Callable[[str, Config, Call], Details]] = {
    "Pool": _pool,
    "Resize": _resize,
    "Attention": _attention,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
}
