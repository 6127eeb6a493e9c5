"""Cuts two Keras models and joins their parts as one functional model of plain layers."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import keras
import numpy as np

from weightbridge.errors import Unsupported, UsageError
from weightbridge.formats.keras.framework.cuts.bridge import Naming, bridged
from weightbridge.formats.keras.framework.cuts.channels import (
    channels_first,
    channels_last,
    has_channels_first,
)
from weightbridge.formats.keras.framework.cuts.fitted import Fit, fit
from weightbridge.formats.keras.framework.runs.settle import settle


def stitched(
    source: Any, at: str, target: Any, from_: str, after: str, data: Any = None
) -> tuple[Any, Fit | None]:
    """The joined model; both models stay as they are. The tail begins at layer `from_`, or behind `after`.

    data: inputs of both, which the channels between them are fitted on.
    """
    end = _single(source, _layer(source, at, "source"), "output")
    trunk = _part(source, _inputs(source), end, f"the source up to {at}")
    start = _start(target, from_, after)
    tail = _part(
        target, start, _outputs(target), f"the target {f'after {after}' if after else f'from {from_}'}"
    )
    taken = {layer.name for layer in trunk.layers}
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name), trunk.input
    )
    features = _replayed(trunk, inputs, lambda name: name)[0]
    taken |= {layer.name for layer in tail.layers if layer.name not in taken}
    named = _unused(taken)
    features = channels_last(features, named("stitch_turn")) if has_channels_first(source, end) else features
    wanted, turned_back = _read_by_tail(target, start, named)
    joint = bridged(features, wanted.shape, named)
    fitted = turned_back(joint)
    ours = {layer.name for layer in trunk.layers}
    outputs = _replayed(tail, fitted, lambda name: _unused(taken)(name) if name in ours else name)
    name = f"{source.name}_{target.name}"
    model = keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=name)
    if data is None:
        return model, None
    return model, fit(model, joint._keras_history.operation, target, wanted, data)


def _read_by_tail(target: Any, start: Any, named: Naming) -> tuple[Any, Callable[[Any], Any]]:
    """What the tail reads, channels last, and what brings that back to the order in which it reads it."""
    if not has_channels_first(target, start):
        return start, lambda x: x
    return channels_last(start, "stitch_wanted"), lambda x: channels_first(x, named("stitch_turn_back"))


def _start(target: Any, from_: str, after: str) -> Any:
    """The tensor that the tail reads in the target."""
    if after:
        return _single(target, _layer(target, after, "target"), "output")
    return _single(target, _layer(target, from_, "target"), "input")


def _layer(model: Any, name: str, side: str) -> Any:
    if not getattr(model, "inputs", None) or not getattr(model, "layers", None):
        message = f"the {side} is no functional or sequential model: it has no graph to cut"
        raise Unsupported(message, fix="Build it with keras.Model(inputs, outputs)")
    found = next((layer for layer in model.layers if layer.name == name), None)
    if found is not None:
        return found
    outer = name.partition("/")[0]
    if any(layer.name == outer for layer in model.layers):
        raise UsageError(
            f"{name}: {outer} is a nested model; the {side} can be cut at its own layers only",
            fix=f"Use {outer!r} itself",
        )
    near = get_close_matches(name, [layer.name for layer in model.layers], n=3, cutoff=0.3) or [
        layer.name for layer in model.layers[-3:]
    ]
    raise UsageError(
        f"the {side} has no layer {name!r}; near it: {', '.join(near)}",
        fix="weightbridge inspect lists all layers",
    )


def _single(model: Any, layer: Any, end: str) -> Any:
    """The one tensor that a layer reads or writes at its first call in this model."""
    inside = {
        id(node) for level in getattr(model, "_functional", model)._nodes_by_depth.values() for node in level
    }
    node = next((node for node in layer._inbound_nodes if id(node) in inside), None)
    found: Sequence[Any] = getattr(node, f"{end}_tensors", ())
    if len(found) != 1:
        names = ", ".join(tensor._keras_history.operation.name for tensor in found)
        behind = f"Say after={layer.name!r} (--after) to begin behind it, where its one output is"
        fix = behind if end == "input" and found else "Choose a layer before or after it with one"
        raise UsageError(f"layer {layer.name} has {len(found)} {end}s ({names})", fix=fix)
    return found[0]


def _part(model: Any, inputs: Any, outputs: Any, what: str) -> Any:
    try:
        return keras.Model(inputs, outputs)
    except ValueError as error:
        places = ", ".join(_cut_points(model)) or "this model has no such layer"
        fix = f"Begin at a layer where a single tensor passes: {places}"
        raise UsageError(f"{what} cannot stand alone: other layers feed it too", fix=fix) from error


def _cut_points(model: Any, shown: int = 8) -> tuple[str, ...]:
    """Layers from which on the model hangs on one tensor alone, evenly thinned."""
    found = [
        layer.name
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer) and _is_cut(model, layer)
    ]
    return tuple(found[:: max(1, len(found) // shown)])


def _is_cut(model: Any, layer: Any) -> bool:
    try:
        keras.Model(layer.input, _outputs(model))
    except (AttributeError, TypeError, ValueError):
        return False
    return not isinstance(layer.input, list | tuple | dict)


def _inputs(model: Any) -> Any:
    return model.inputs[0] if len(model.inputs) == 1 else model.input


def _outputs(model: Any) -> Any:
    return list(model.outputs)


def _replayed(part: Any, inputs: Any, renamed: Callable[[str], str]) -> list[Any]:
    """The part's layers as copies with their weights, called on other inputs: its outputs there."""
    copies: dict[str, Any] = {}
    outputs: dict[str, list[Any]] = {}

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        copies[layer.name] = type(layer).from_config(
            config | {"name": renamed(layer.name)} if "name" in config else config
        )
        return copies[layer.name]

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        result = layer(*args, **kwargs)
        outputs.setdefault(layer.name, []).append(keras.tree.flatten(result))
        return result

    keras.models.clone_model(part, input_tensors=inputs, clone_function=copied, call_function=called)
    for layer in part.layers:
        if layer.name in copies and layer.weights:
            copies[layer.name].set_weights([np.asarray(w) for w in layer.get_weights()])
            settle(copies[layer.name])
    return [_found(copies, outputs, tensor) for tensor in part.outputs]


def _found(copies: dict[str, Any], outputs: dict[str, list[Any]], tensor: Any) -> Any:
    history = tensor._keras_history
    original = history.operation.name
    calls = outputs[getattr(copies.get(original), "name", original)]
    if len(calls) > 1:
        raise UsageError(
            f"layer {original} writes an output and is called {len(calls)} times",
            fix="Cut before its first call",
        )
    return calls[0][history.tensor_index]


def _unused(taken: set[str]) -> Callable[[str], str]:
    """A function that gives a name which no layer has yet, and takes it."""

    def name(wanted: str) -> str:
        free = next(n for n in _numbered(wanted) if n not in taken)
        taken.add(free)
        return free

    return name


def _numbered(name: str) -> Iterable[str]:
    yield name
    n = 1
    while True:
        yield f"{name}_{n}"
        n += 1
