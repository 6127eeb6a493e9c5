"""One layer, or a wrapper with what it wraps, as Keras 3 writes it."""

from collections.abc import Callable
from typing import Any

from weightbridge.converting.keras_classes import CHANNELS, SETTINGS
from weightbridge.converting.parts import activation_name, dtype_name, part, table_of
from weightbridge.converting.rewrite import rewritten
from weightbridge.converting.values import Config, Said, note
from weightbridge.formats.keras.architecture.classes import CLASSES, EXPORTED_AS
from weightbridge.formats.keras.architecture.config import MODELS, OPERATION_MODULES, ConfigLayer
from weightbridge.formats.keras.variables.vocabularies import LOOKUPS

LAYERS = "keras.layers"
OfModel = Callable[[ConfigLayer], Config]
IDLE = frozenset(
    {
        *("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_dtype", "input_length"),
        *("implementation", "weights", "input_dim", "build_config", "axis", "kernel_axes", "kernel_flipped"),
        *("data_format", "rank", "mode", "autocast", "cell", "cells", "layer", "backward_layer", "groups"),
        *("axes", "quantization_config", "vocabulary_size"),
    }
)
WORDLESS = "the words that the layer knows are not in the configuration, and are not carried yet"
REMOVED = frozenset(
    {
        *("LocallyConnected1D", "LocallyConnected2D", "RandomHeight", "RandomWidth", "DenseFeatures"),
        *("Highway", "MaxoutDense", "SReLU", "ParametricSoftplus"),
    }
)
MEANT = frozenset({"merge_mode"})  # settings that say something by being None
FROZEN_ALONE = frozenset({"SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "InputLayer"})


def object_entry(module: str, class_name: str, config: Config, registered: str | None = None) -> Config:
    """An object as Keras 3 writes all of them."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}


def layer_entry(layer: ConfigLayer, said: Said, model: OfModel | None = None) -> Config:
    """A layer; what Keras 3 has no class for is noted as refused. model: writes one that a wrapper wraps."""
    if layer.module.startswith(OPERATION_MODULES):
        return object_entry(layer.module, layer.class_name, dict(layer.config), layer.class_name)
    if _is_foreign(layer):
        name = layer.registered or layer.class_name
        note(said.refused, f"the class {name} is none of Keras's own", layer.name)
        return {}
    if layer.class_name not in SETTINGS:
        is_gone = layer.class_name in REMOVED
        what = "Keras 3 has no layer" if is_gone else "convert does not know how to write the layer"
        note(said.refused, f"{what} {layer.class_name}", layer.name)
        return {}
    config = {"name": layer.name, **_settings(layer, said), **_wrapped(layer, said, model)}
    return object_entry(LAYERS, EXPORTED_AS.get(layer.class_name, layer.class_name), config)


def _is_foreign(layer: ConfigLayer) -> bool:
    package = layer.module.split(".", maxsplit=1)[0]
    return package not in ("", "keras", "tf_keras") or layer.class_name not in CLASSES


def _settings(layer: ConfigLayer, said: Said) -> Config:
    config: Config = _general(layer)
    _say_unread(layer, said)
    if layer.class_name in LOOKUPS and layer.config.get("vocabulary") is None:
        note(said.refused, WORDLESS, layer.name)
    for key in sorted(SETTINGS[layer.class_name]):
        value = layer.config.get(key)
        if value is not None:
            config |= _setting(layer, key, value, said)
        elif key in layer.config and (key in MEANT or layer.class_name == "TextVectorization"):
            config[key] = None
    if layer.class_name in CHANNELS:
        config.setdefault("data_format", "channels_last")
    if layer.class_name == "InputLayer":
        config |= _input(layer)
    return config


def _say_unread(layer: ConfigLayer, said: Said) -> None:
    """What the layer was told and Keras 3 has no setting for is said, not dropped in silence."""
    known = SETTINGS[layer.class_name] | IDLE | set(layer.wrapped)
    for key, value in layer.config.items():
        if key not in known and value not in (None, False, 0, "", [], {}, ()):
            note(said.left, f"Keras 3 has no setting {key}={str(value)[:40]}", layer.name)


def _general(layer: ConfigLayer) -> Config:
    """What every layer may say: whether it is trained, and its dtype."""
    config: Config = {}
    if layer.config.get("trainable") is False and layer.class_name not in FROZEN_ALONE:
        config["trainable"] = False
    dtype = dtype_name(layer.config.get("dtype"))
    if dtype not in (None, "float32"):
        config["dtype"] = dtype
    return config


def _setting(layer: ConfigLayer, key: str, value: Any, said: Said) -> Config:
    """One setting, or nothing where it is not carried."""
    if key in ("activation", "recurrent_activation"):
        return {key: _activation(layer, value, said)}
    if table_of(key):
        return _part(layer, key, value, said)
    if layer.class_name == "BatchNormalization" and key == "axis" and isinstance(value, list):
        return {key: _one_axis(layer, value, said)}
    return {key: value}


def _part(layer: ConfigLayer, key: str, value: Any, said: Said) -> Config:
    written = part(key, value)
    if written is None:
        note(said.left, f"its {key} is none of Keras's own", layer.name)
        return {}
    return {key: written}


def _one_axis(layer: ConfigLayer, axes: list[Any], said: Said) -> Any:
    if len(axes) > 1:
        note(said.refused, "BatchNormalization over several axes has no layer in Keras 3", layer.name)
    return axes[0] if axes else -1


def _activation(layer: ConfigLayer, value: Any, said: Said) -> Any:
    if isinstance(value, dict) and value.get("class_name") in CLASSES:
        inner = value.get("config")
        named = {"name": str(value["class_name"]).lower(), **(inner if isinstance(inner, dict) else {})}
        return layer_entry(rewritten(ConfigLayer(named["name"], value["class_name"], named), said), said)
    name = activation_name(value)
    if name is None:
        note(said.refused, f"the activation {_label(value)} is none of Keras's own", layer.name)
    return name


def _label(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("registered_name") or value.get("config") or value.get("class_name"))[:80]
    return str(value)[:80]


def _input(layer: ConfigLayer) -> Config:
    shape = layer.config.get("batch_shape", layer.config.get("batch_input_shape"))
    dtype = layer.config.get("dtype") or layer.config.get("input_dtype") or "float32"
    return {"batch_shape": shape, "dtype": dtype_name(dtype)}


def _wrapped(layer: ConfigLayer, said: Said, model: OfModel | None) -> Config:
    """What a wrapper wraps, under the keys of its own configuration."""
    config: Config = {}
    for key, inner in zip(layer.wrapped, layer.layers, strict=True):
        entry = _inner(inner, said, model)
        if isinstance(layer.config.get(key), list):
            config.setdefault(key, []).append(entry)
        else:
            config[key] = entry
    return config


def _inner(layer: ConfigLayer, said: Said, model: OfModel | None) -> Config:
    if layer.kind in MODELS and model is not None:
        return model(layer)
    return layer_entry(layer, said, model)
