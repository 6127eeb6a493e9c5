"""TimeDistributed around what is done for one step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.converting.from_graph.arrange import arranged, as_source, one_by_one
from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.sequences.ended_masks import end_masks
from weightbridge.converting.from_graph.timesteps.find import steps_of, unfolded
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.writer import Writer, ends, fitting_name
from weightbridge.converting.layers import object_entry
from weightbridge.converting.values import Config


def apart(writer: Writer, value: Value, hint: str) -> Value:
    """A value whose batch and steps the source has as one axis: Keras has (batch, steps, the others)."""
    layout = value.layout
    first = layout.source[0]
    others = [axis for axis in one_by_one(layout) if axis]
    wanted = (first[:1], first[1:], *(layout.source[axis] for axis in others))
    return arranged(writer, value, wanted, hint)


def one_step(writer: Writer, value: Value, name: str) -> Value:
    """The input of what is done for one step. value: with the steps apart. writer: of the model inside."""
    axes = [axis for axis in one_by_one(value.layout) if axis]
    return writer.input(name, plain((None, *value.layout.source_shape[1:]), (0, *axes)), value.dtype)


def whole(writer: Writer, value: Value, hint: str) -> Value:
    """What is given for one step, with axes that the source has made one in the order that it means."""
    return value if value.layout.order is not None else as_source(writer, value, hint)


def wrapped(writer: Writer, inner: Writer, fed: Value, ways: Sequence[Value], name: str) -> Value:
    """The model inside as one layer of the model outside. fed: all steps; ways: its input and its output."""
    start, end = ways
    end_masks(inner)
    layers = {key: entry for key, entry in inner.entries.items() if key != start.layer}
    lone = _lone(layers, start, end)
    wanted = fitting_name(f"{name}_model")
    inside = _model(inner, start, end, wanted) if lone is None else _plain(layers[lone])
    made = writer.layer("TimeDistributed", name, {"layer": inside}, fed)
    for weight in inner.weights:
        layer = weight.layer if lone is not None else f"{wanted}/{weight.layer}"
        writer.weight(replace(weight, layer=f"{made}/{layer}"))
    writer.settled |= inner.settled
    for sentence, names in inner.said.rewritten.items():
        for told in names:
            writer.rewrote(sentence, told)
    return Value(made, 0, 0, unfolded(end.layout, steps_of(fed.layout)), end.dtype)


def _lone(layers: Mapping[str, Config], start: Value, end: Value) -> str | None:
    """The one layer that is there, called once with the step and nothing else."""
    if len(layers) != 1 or end.layer == start.layer or end.output:
        return None
    ((name, entry),) = layers.items()
    nodes = entry["inbound_nodes"]
    is_plain = len(nodes) == 1 and len(nodes[0]["args"]) == 1 and not nodes[0]["kwargs"]
    return name if is_plain and entry["module"] == "keras.layers" else None


def _plain(entry: Config) -> Config:
    return object_entry(entry["module"], entry["class_name"], entry["config"], entry["registered_name"])


def _model(inner: Writer, start: Value, end: Value, name: str) -> Config:
    config: dict[str, Any] = {
        "name": name,
        "trainable": True,
        "layers": list(inner.entries.values()),
        "input_layers": ends([start]),
        "output_layers": ends([end]),
    }
    return object_entry("keras.src.models.functional", "Functional", config, "Functional")
