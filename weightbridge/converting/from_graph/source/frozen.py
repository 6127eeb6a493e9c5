"""Layers of Keras whose weights training does not change in the source."""

from collections.abc import Iterable

from weightbridge.converting.from_graph.writer import Writer
from weightbridge.converting.values import Weight
from weightbridge.model.graph import LayerGraph

SAID = "has weights that training does not change, as in the source"
STATISTICS = frozenset({"moving_mean", "moving_variance"})


def frozen_layers(graph: LayerGraph, weights: Iterable[Weight]) -> tuple[str, ...]:
    """The layers of Keras all of whose weights are such; statistics of a norm are no sign of either."""
    trained: dict[str, bool] = {}
    for weight in weights:
        tensors = [graph.tensor_by_name[name] for name in weight.sources]
        if tensors and weight.role not in STATISTICS:
            name = weight.layer.partition("/")[0]
            trained[name] = trained.get(name, False) or any(t.trainable for t in tensors)
    return tuple(name for name, is_trained in trained.items() if not is_trained)


def freeze(writer: Writer, names: Iterable[str]) -> None:
    """A BatchNormalization stays: in Keras a frozen one uses its statistics in training too."""
    for name in names:
        if writer.entries[name]["class_name"] != "BatchNormalization":
            writer.fix(name)
            writer.rewrote(SAID, name)
