"""Keras configs of every age -> a tree of ConfigLayer: names, classes, calls and nesting, checked; nothing is
imported or built.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from weightbridge.errors import Corrupt
from weightbridge.formats.keras.architecture.arguments import EMPTY, Call, Reference, call_of, references

Kind = Literal["layer", "functional", "sequential", "operation"]
OPERATION_MODULES = ("keras.src.ops", "keras.ops")
WRAPPED_KEYS = ("layer", "backward_layer", "cell", "cells")
MAX_DEPTH = 60
MODELS = ("functional", "sequential")
WRAPPERS = ("Bidirectional", "TimeDistributed", "RNN", "StackedRNNCells", "Wrapper", "SpectralNormalization")


@dataclass(frozen=True, slots=True)
class ConfigLayer:
    """One layer, model or operation of a config.

    module: where its class lives, as the config says ("" in configs before Keras 3); registered: its
    registered name.
    layers: the layers of a nested model, or what a wrapper wraps. wrapped: the config key of each, for
    wrappers.
    traits: facts of structure that dialect rules ask for: `list-config` (a bare list for a Sequential),
    `module` (Keras 2.13 and
        later say where a class lives), `nested-call` (a nested model whose calls are counted from 1).
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
    """The tree of a model's config. Raises Corrupt where it is no config of a layer, or nested without end."""
    try:
        return _layer(value, where, 0)
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
    config, class_name = value.get("config"), value["class_name"]
    listed = isinstance(config, list)
    settings: dict[str, Any] = {"layers": config} if listed else config if isinstance(config, dict) else {}
    name = value.get("name", settings.get("name"))
    name = name if isinstance(name, str) else _name_within(config) or class_name.lower()
    place = f"{where}/{name}"
    kind = (
        "operation" if _string(value.get("module")).startswith(OPERATION_MODULES) else _kind(settings, listed)
    )
    children, wrapped = (
        _children(settings, kind, place, depth + 1) if class_name in WRAPPERS or kind in MODELS else ((), ())
    )
    nodes = value.get("inbound_nodes")
    build = value.get("build_config")
    return ConfigLayer(
        name=name,
        class_name=class_name,
        config=MappingProxyType(settings),
        kind=kind,
        module=_string(value.get("module")),
        registered=_string(value.get("registered_name")),
        build_shape=build.get("input_shape", build.get("shapes_dict")) if isinstance(build, dict) else None,
        shared_id=value.get("shared_object_id"),
        calls=tuple(call_of(node, class_name) for node in nodes) if isinstance(nodes, list) else (),
        layers=children,
        wrapped=wrapped,
        inputs=references(settings.get("input_layers")) if kind == "functional" else (),
        outputs=references(settings.get("output_layers")) if kind == "functional" else (),
        traits=_traits(value, listed),
    )


def _kind(config: Mapping[str, Any], listed: bool) -> Kind:
    layers = config.get("layers")
    if isinstance(layers, list) and "input_layers" in config and "output_layers" in config:
        return "functional"
    if listed or (
        isinstance(layers, list) and all(isinstance(x, dict) and "class_name" in x for x in layers)
    ):
        return "sequential"
    return "layer"


def _name_within(config: Any) -> str:
    """Keras 1 names no Sequential; its wrappers carry their name inside."""
    return config["name"] if isinstance(config, dict) and isinstance(config.get("name"), str) else ""


def _children(
    config: Mapping[str, Any], kind: Kind, where: str, depth: int
) -> tuple[tuple[ConfigLayer, ...], tuple[str, ...]]:
    if kind in MODELS:
        layers = tuple(_layer(inner, where, depth) for inner in config["layers"])
        _refuse_same_names(layers, where)
        return _marked(layers), ()
    listed = {
        key: config[key] if isinstance(config.get(key), list) else [config.get(key)] for key in WRAPPED_KEYS
    }
    inner = [(key, one) for key, values in listed.items() for one in values if _is_layer(one)]
    return tuple(_layer(one, where, depth) for _, one in inner), tuple(key for key, _ in inner)


def _is_layer(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_name"), str)
        and isinstance(value.get("config"), dict | list)
    )


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
    return frozenset(({"list-config"} if listed else set()) | ({"module"} if "module" in value else set()))


def _marked(layers: tuple[ConfigLayer, ...]) -> tuple[ConfigLayer, ...]:
    """Nested models that another layer refers to as older Keras did, by a call that Keras 3 does not count."""
    calls = {layer.name: len(layer.calls) for layer in layers if layer.kind in ("functional", "sequential")}
    named = {
        r.layer
        for layer in layers
        for call in layer.calls
        for r in call.inputs
        if r.node >= calls.get(r.layer, r.node + 1)
    }
    return tuple(
        replace(layer, traits=layer.traits | {"nested-call"}) if layer.name in named else layer
        for layer in layers
    )


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _malformed(where: str, what: str, value: Any) -> Corrupt:
    return Corrupt(
        f"{what} in the configuration: {str(value)[:80]!r}", where=where, fix="Save the model again"
    )
