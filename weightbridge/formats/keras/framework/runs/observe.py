"""Layers of a Keras model watched while it runs; the model itself is never changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

from weightbridge.formats.keras.framework.runs.logits import FinalStep, recorded, replaced
from weightbridge.formats.keras.framework.walk import LiveLayer
from weightbridge.formats.running import not_shown

# What these hold runs inside a traced loop, where nothing can be observed.
LOOPED = (keras.layers.TimeDistributed,)


def observable(layers: Sequence[LiveLayer]) -> Iterator[LiveLayer]:
    """The layers that are called with data in plain sight."""
    looped = tuple(f"{one.name}/" for one in layers if isinstance(one.layer, LOOPED))
    for one in layers:
        if not isinstance(one.layer, keras.layers.InputLayer) and not one.name.startswith(looped):
            yield one


def call_names(model: Any, name: str, layer: Any) -> Iterator[str]:
    """`name`, and `name#1`, `name#2` for the later calls of a layer that the model shares."""
    by_depth = getattr(getattr(model, "_functional", model), "_nodes_by_depth", {})
    nodes = [node for depth in by_depth.values() for node in depth if node.operation is layer]
    yield name
    yield from (f"{name}#{i}" for i in range(1, len(nodes)))


@contextmanager
def observing(
    names: Sequence[str],
    layers: Mapping[str, Any],
    steps: Mapping[str, FinalStep],
    found: dict[str, Any],
    where: str,
) -> Iterator[None]:
    """While open, what the named layers and final steps compute goes into `found`."""
    with ExitStack() as stack:
        for name in names:
            base = name.partition("#")[0]
            if name.startswith("logits:"):
                stack.enter_context(recorded(steps[name.removeprefix("logits:")], found, name))
            elif base in layers:
                stack.enter_context(_watched(layers[base], found, f"layer:{base}"))
            else:
                raise not_shown(name, where)
        yield


@contextmanager
def _watched(layer: Any, found: dict[str, Any], key: str) -> Iterator[None]:
    original, count = layer.call, 0

    def watching(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        result = original(*args, **kwargs)
        found[f"{key}#{count}" if count else key] = keras.tree.flatten(result)[0]
        count += 1
        return result

    with replaced(layer, "call", watching):
        yield
