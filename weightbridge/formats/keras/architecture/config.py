"""Keras configs of every age -> a tree of ConfigLayer: names, classes, calls and nesting, checked.

Nothing is imported or built.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any, Literal

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt
from weightbridge.formats.crowds import refuse_crowd
from weightbridge.formats.keras.architecture.arguments import EMPTY, Call, Reference, call_of, references

Kind = Literal["layer", "functional", "sequential", "operation"]
OPERATION_MODULES = ("keras.src.ops", "keras.ops")
WRAPPED_KEYS = ("layer", "backward_layer", "cell", "cells")
MAX_DEPTH = 60
MODELS = ("functional", "sequential")
WRAPPERS = (
    *("Bidirectional", "TimeDistributed", "RNN", "StackedRNNCells", "Wrapper", "SpectralNormalization"),
    *("PruneLowMagnitude", "QuantizeWrapper", "QuantizeWrapperV2"),  # of tensorflow-model-optimization
)


@dataclass(frozen=True, slots=True)
class ConfigLayer:
    """One layer, model or operation of a config.

    module: where its class lives, as the config says ("" in configs before Keras 3); registered: its
    registered name.
    layers: the layers of a nested model, or what a wrapper wraps. wrapped: the config key of each, for
    wrappers.
    traits: facts of structure that dialect rules ask for: `list-config` (a bare list for a Sequential),
    `module` (Keras 2.13 and later say where a class lives), `nested-call` (a nested model whose calls are
    counted from 1), `unnamed` (a Sequential of Keras 1 or of early Keras 2, which does not say its name).
    """

    name: str
    class_name: str
    config: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    kind: Kind = "layer"
    module: str = ""
    registered: str = ""
    build_shape: Any = None
    shared_id: Any = None
    calls: tuple[Call, ...] = ()
    layers: tuple["ConfigLayer", ...] = ()
    wrapped: tuple[str, ...] = ()
    inputs: tuple[Reference, ...] = ()
    outputs: tuple[Reference, ...] = ()
    traits: frozenset[str] = field(default_factory=frozenset)


def parse_json(text: str | bytes, where: str) -> Any:
    """The value of a JSON text. Raises Corrupt for malformed or too deeply nested text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Corrupt(
            f"the configuration is no JSON: {reason}",
            where=where,
            fix="Get the file again, or save the model again",
        ) from error


def parse_model(value: Any, where: str) -> ConfigLayer:
    """The tree of a model's config.

    Raises Corrupt where it is no config of a layer, or nested without end.
    """
    try:
        return _with_first(_layer(value, where, 0))
    except RecursionError as error:
        raise Corrupt(
            "the configuration is nested too deeply", where=where, fix="Save the model again"
        ) from error


def walk(layer: ConfigLayer) -> Iterator[ConfigLayer]:
    """The layer and all below it, outermost first."""
    yield layer
    for inner in layer.layers:
        yield from walk(inner)


def _layer(value: Any, where: str, depth: int) -> ConfigLayer:
    if depth > MAX_DEPTH:
        raise Corrupt(f"models nested more than {MAX_DEPTH} deep", where=where, fix="Save the model again")
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise _malformed(where, "a layer without a class name", value)
    class_name = value["class_name"]
    listed = isinstance(value.get("config"), list)
    settings = _settings(value.get("config"))
    name = _layer_name(value, settings)
    if "\0" in name:
        raise _malformed(where, "a layer's name with a NUL character", name)
    module = _string(value.get("module"))
    kind = "operation" if module.startswith(OPERATION_MODULES) else _kind(settings, listed)
    if kind == "layer" and _must_have_layers(class_name, module, settings):
        raise _malformed(where, f"a {class_name} without a list of layers", settings.get("layers"))
    inner: tuple[tuple[str, ConfigLayer], ...] = ()
    if class_name in WRAPPERS or kind in MODELS:
        inner = _inner(settings, kind, f"{where}/{name}", depth + 1)
    is_functional = kind == "functional"
    return ConfigLayer(
        name=name,
        class_name=class_name,
        config=MappingProxyType(settings),
        kind=kind,
        module=module,
        registered=_string(value.get("registered_name")),
        build_shape=_build_shape(value.get("build_config")),
        shared_id=value.get("shared_object_id"),
        calls=_calls(value.get("inbound_nodes"), class_name),
        layers=tuple(layer for _, layer in inner),
        wrapped=tuple(key for key, _ in inner if key),
        inputs=references(settings.get("input_layers")) if is_functional else (),
        outputs=references(settings.get("output_layers")) if is_functional else (),
        traits=_traits(value, listed),
    )


def _settings(config: Any) -> dict[str, Any]:
    """A layer's config; a bare list holds the layers of a Sequential."""
    if isinstance(config, list):
        return {"layers": config}
    return config if isinstance(config, dict) else {}


def _layer_name(value: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """A layer's name; Keras 1 names no Sequential, and its wrappers carry their name inside."""
    outer, inner = value.get("name", settings.get("name")), settings.get("name")
    if isinstance(outer, str):
        return outer
    return _string(inner) or str(value["class_name"]).lower()


def _kind(config: Mapping[str, Any], listed: bool) -> Kind:
    layers = config.get("layers")
    if isinstance(layers, list) and "input_layers" in config and "output_layers" in config:
        return "functional"
    return "sequential" if listed or _are_layers(layers) else "layer"


def _must_have_layers(class_name: str, module: str, settings: Mapping[str, Any]) -> bool:
    """Whether this is one of Keras's own models, and no class of the same name that somebody else wrote."""
    if module and module.split(".", maxsplit=1)[0] not in ("keras", "tf_keras"):
        return False
    return class_name in ("Sequential", "Functional") or (class_name == "Model" and "layers" in settings)


def _are_layers(values: Any) -> bool:
    if not isinstance(values, list):
        return False
    return all(isinstance(value, dict) and "class_name" in value for value in values)


def _inner(
    config: Mapping[str, Any], kind: Kind, where: str, depth: int
) -> tuple[tuple[str, ConfigLayer], ...]:
    """The layers of a model, or what a wrapper wraps, each with the config's key that holds it."""
    if kind in MODELS:
        refuse_crowd(len(config["layers"]), "layers", where)
        layers = _numbered(tuple(_layer(inner, where, depth) for inner in config["layers"]))
        _refuse_same_names(layers, where)
        return tuple(("", layer) for layer in _marked(layers))
    wrapped = [(key, value) for key in WRAPPED_KEYS for value in _as_list(config.get(key))]
    return tuple((key, _layer(value, where, depth)) for key, value in wrapped if _is_layer(value))


def _numbered(layers: tuple[ConfigLayer, ...]) -> tuple[ConfigLayer, ...]:
    """Models without a name of their own, told apart by a number."""
    found: list[ConfigLayer] = []
    count = 0
    for layer in layers:
        is_unnamed = "unnamed" in layer.traits
        is_counted = is_unnamed and count > 0
        found.append(replace(layer, name=f"{layer.name}_{count}") if is_counted else layer)
        count += is_unnamed
    return tuple(found)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_layer(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict | list)


def _build_shape(build: Any) -> Any:
    return build.get("input_shape", build.get("shapes_dict")) if isinstance(build, dict) else None


def _calls(nodes: Any, class_name: str) -> tuple[Call, ...]:
    return tuple(call_of(node, class_name) for node in nodes) if isinstance(nodes, list) else ()


def _refuse_same_names(layers: tuple[ConfigLayer, ...], where: str) -> None:
    names = [layer.name for layer in layers]
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise Corrupt(
            f"two layers of one model are called {twice[0]!r}",
            where=where,
            fix="Give each layer its own name",
        )


def _traits(value: Mapping[str, Any], listed: bool) -> frozenset[str]:
    traits = {
        "list-config": listed,
        "module": "module" in value,
        "unlocated": _wraps_unlocated(value),
        "unnamed": listed and not isinstance(value.get("name"), str),
    }
    return frozenset(trait for trait, has_trait in traits.items() if has_trait)


def _wraps_unlocated(value: Mapping[str, Any]) -> bool:
    """Whether a wrapper's config does not say where the class of what it wraps lives."""
    settings = _settings(value.get("config"))
    wrapped = [inner for key in WRAPPED_KEYS for inner in _as_list(settings.get(key)) if _is_layer(inner)]
    return value["class_name"] in WRAPPERS and any("module" not in inner for inner in wrapped)


def _with_first(model: ConfigLayer) -> ConfigLayer:
    """The model with its first layer marked, where that layer itself tells what the model is fed."""
    if model.kind != "sequential" or not model.layers:
        return model
    first, *others = model.layers
    marked = _with_first(first) if first.layers else first
    return replace(model, layers=(replace(marked, traits=marked.traits | {"first"}), *others))


def _marked(layers: tuple[ConfigLayer, ...]) -> tuple[ConfigLayer, ...]:
    """Marks the nested models that are called as in older Keras: by a number that Keras 3 does not count."""
    beyond = _called_beyond(layers)
    return tuple(
        replace(layer, traits=layer.traits | {"nested-call"}) if layer.name in beyond else layer
        for layer in layers
    )


def _called_beyond(layers: tuple[ConfigLayer, ...]) -> set[str]:
    """The nested models that a call with a number beyond their own calls refers to."""
    counts = {layer.name: len(layer.calls) for layer in layers if layer.kind in MODELS}
    inputs = [reference for layer in layers for call in layer.calls for reference in call.inputs]
    nested = [reference for reference in inputs if reference.layer in counts]
    return {reference.layer for reference in nested if reference.node >= counts[reference.layer]}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _malformed(where: str, what: str, value: Any) -> Corrupt:
    return Corrupt(
        f"{what} in the configuration: {str(value)[:80]!r}", where=where, fix="Save the model again"
    )
