"""What a model computes at its cuts, averaged over space: one forward pass, batch by batch."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from weightbridge.boundary.options import Progress
from weightbridge.formats.running import Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.model.layouts import keeps_channels_first
from weightbridge.model.tensors import Array

BATCH, WIDEST = 64, 1024  # inputs at once; numbers of a feature, above which they are projected
STAGE = "computing features"
INPUT = "the inputs themselves"


def features_at(
    runner: Runner, graph: LayerGraph, feeds: Mapping[str, Array], cuts: Sequence[str], progress: Progress
) -> dict[str, Array]:
    """(inputs, numbers) for the inputs themselves and each cut that the run reaches."""
    parts: dict[str, list[Array]] = {}
    count = len(next(iter(feeds.values())))
    for start, batch in _batches(runner, feeds, count):
        progress(STAGE, start, count)
        results = runner.run(batch, cuts)
        parts.setdefault(INPUT, []).append(_flat(batch))
        for cut in cuts:
            if f"layer:{cut}" in results:
                pooled = _pooled(graph, cut, results[f"layer:{cut}"])
                parts.setdefault(cut, []).append(pooled)
    progress(STAGE, count, count)
    return {name: _narrowed(np.concatenate(rows)) for name, rows in parts.items()}


def _batches(
    runner: Runner, feeds: Mapping[str, Array], count: int
) -> Iterator[tuple[int, dict[str, Array]]]:
    size = next((spec.shape[0] for spec in runner.inputs if spec.shape and spec.shape[0]), BATCH)
    for start in range(0, count, size):
        yield start, {name: array[start : start + size] for name, array in feeds.items()}


def _flat(batch: Mapping[str, Array]) -> Array:
    numbers = [array for array in batch.values() if array.dtype.kind in "biuf"]
    rows = [array.reshape(len(array), -1).astype(np.float64) for array in numbers]
    return np.concatenate(rows, axis=1) if rows else np.zeros((len(next(iter(batch.values()))), 1))


def _pooled(graph: LayerGraph, cut: str, values: Array) -> Array:
    """Averaged over all axes but those of inputs and channels."""
    values = values.astype(np.float64)
    layer = graph.by_name[cut]
    is_first = keeps_channels_first(graph) or layer.attributes.get("data_format") == "channels_first"
    channels = 1 if is_first else values.ndim - 1
    others = tuple(n for n in range(1, values.ndim) if n != channels)
    return values.mean(axis=others) if others else values.reshape(len(values), -1)


def _narrowed(rows: Array) -> Array:
    """At most 1,024 numbers: products with fixed random directions keep what a linear probe sees."""
    if rows.shape[1] <= WIDEST:
        return rows
    directions = np.random.default_rng(0).standard_normal((rows.shape[1], WIDEST))
    return np.asarray(rows @ directions / np.sqrt(WIDEST))
