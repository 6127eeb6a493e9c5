"""A LayerGraph -> the configuration of a Keras model, layer by layer."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from weightbridge.converting.from_graph.drawing import Drawing
from weightbridge.converting.from_graph.recognise import recognised
from weightbridge.converting.from_graph.sequences.ended_masks import end_masks
from weightbridge.converting.from_graph.source.batches import Places, batch_places
from weightbridge.converting.from_graph.source.frozen import freeze, frozen_layers
from weightbridge.converting.from_graph.source.inputs import inputs_of, told_batch
from weightbridge.converting.from_graph.source.sharing import sharing_of
from weightbridge.converting.from_graph.values import Drawn, Settings, Value
from weightbridge.converting.from_graph.writer import Writer, ends
from weightbridge.converting.layers import object_entry
from weightbridge.converting.values import Config, frozen
from weightbridge.errors import Unsupported
from weightbridge.formats.keras.architecture.config import parse_model
from weightbridge.formats.keras.architecture.order import keras_order
from weightbridge.model.graph import LayerGraph


def drawn(graph: LayerGraph, settings: Settings) -> Drawn:
    """The model in Keras's terms.

    Raises Unsupported with every layer that Keras has no layers for.
    """
    graph = recognised(graph)
    first, *others = batch_places(graph)
    try:
        return _drawn(graph, settings, first)
    except Unsupported:
        for places in others:
            with suppress(Unsupported):  # what the first axis says is told
                return _drawn(graph, settings, places)
        raise


def _drawn(graph: LayerGraph, settings: Settings, places: Places) -> Drawn:
    """places: the axis of each input that is the batch."""
    writer, sharing = Writer(), sharing_of(graph)
    inputs = inputs_of(graph, writer, settings, places)
    drawing = Drawing(graph, settings, writer, inputs, sharing, told_batch(graph, places))
    drawing.draw_all()
    drawing.refuse()
    outputs, said = drawing.outputs(), writer.said
    end_masks(writer)
    freeze(writer, frozen_layers(graph, writer.weights))
    return Drawn(
        path=graph.path,
        config=_model(writer, drawing.inputs, outputs, graph.path),
        weights=tuple(writer.weights),
        rewritten=frozen(said.rewritten),
        untied=sharing.untied,
        settled=frozenset(writer.settled),
    )


def _model(writer: Writer, inputs: Mapping[str, Value], outputs: Sequence[Value], path: str) -> Config:
    """The configuration, with the layers in the order in which Keras itself lists them."""
    config = {
        "name": "model",
        "trainable": True,
        "layers": list(writer.entries.values()),
        "input_layers": ends(inputs.values()),
        "output_layers": ends(outputs),
    }
    model = object_entry("keras.src.models.functional", "Functional", config, "Functional")
    kept = [layer.name for layer in keras_order(parse_model(model, path))]
    return {**model, "config": {**config, "layers": [writer.entries[name] for name in kept]}}
