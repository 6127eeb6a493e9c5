"""What a wrapper of Keras wraps.

Its layers and cells by the names and the places that Keras gives them.
"""

from dataclasses import replace
from typing import Any

from weightbridge.formats.keras.architecture.classes import STORED_AS, snake_case
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.variables.legacy_names import CELL

Part = tuple[ConfigLayer, str]
KEPT = ("return_state", "zero_output_for_mask")
CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")


def storage_names(layers: tuple[ConfigLayer, ...]) -> dict[str, str]:
    """The name of the group in which Keras 3 keeps each layer of a list: its class in snake case, counted.

    Operations have none.
    """
    used: dict[str, int] = {}
    names = {}
    for layer in layers:
        if layer.kind == "operation":
            continue
        key = snake_case(STORED_AS.get(layer.class_name, layer.class_name))
        names[layer.name] = f"{key}_{used[key]}" if key in used else key
        used[key] = used.get(key, 0) + 1
    return names


def wrapped_parts(layer: ConfigLayer) -> tuple[Part, ...]:
    """What a wrapper wraps, by the names that Keras gives it, with the attribute that holds it."""
    if layer.class_name == "Bidirectional":
        return _both_ways(layer)
    parts: list[Part] = []
    for part, key in zip(layer.layers, layer.wrapped, strict=True):
        if part.class_name == "StackedRNNCells":
            stores = storage_names(part.layers)
            parts.extend((cell, f"{key}/cells/{stores.get(cell.name, '')}") for cell in part.layers)
        else:
            parts.append((part, key))
    return _cells(layer, parts) if layer.class_name == "RNN" else tuple(parts)


def _cells(layer: ConfigLayer, parts: list[Part]) -> tuple[Part, ...]:
    """An RNN's cells, each with the way in which it is run."""
    last = len(parts) - 1
    return tuple(
        (replace(cell, config={**cell.config, **way(layer, first=place == 0, last=place == last)}), store)
        for place, (cell, store) in enumerate(parts)
    )


def _both_ways(layer: ConfigLayer) -> tuple[Part, Part]:
    forward, *others = layer.layers
    name = forward.name.removeprefix("forward_")
    if others:
        backward = others[0]
        backward_name, config = backward.name.removeprefix("backward_"), backward.config
    else:
        is_backwards = forward.config.get("go_backwards", False)
        backward, backward_name = forward, name
        config = {**forward.config, "go_backwards": not is_backwards}
    return (
        (replace(forward, name=f"forward_{name}"), "forward_layer"),
        (replace(backward, name=f"backward_{backward_name}", config=config), "backward_layer"),
    )


def is_cell_alone(layer: ConfigLayer) -> bool:
    """Whether an RNN has one cell of Keras's own without a name, as `LSTM`, `GRU`, ... would have."""
    if layer.class_name != "RNN" or len(layer.layers) != 1:
        return False
    cell = layer.layers[0]
    return cell.class_name in CELLS and bool(CELL.fullmatch(cell.name))


def way(layer: ConfigLayer, *, first: bool = True, last: bool = True) -> dict[str, Any]:
    """How an RNN runs its cells: the first alone turns the steps round, all but the last give every step."""
    backwards, steps = layer.config.get("go_backwards", False), layer.config.get("return_sequences", False)
    found = {"go_backwards": backwards if first else False, "return_sequences": steps if last else True}
    return found | {key: layer.config[key] for key in KEPT if layer.config.get(key)}
