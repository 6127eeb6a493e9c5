"""New BatchNorm statistics of a model by the names of its tensors, and what is to be said about them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from weightbridge.boundary.options import Progress
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.calibration import calibration
from weightbridge.formats.frameworks import framework_module
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor, dtype_of

FEW = 30  # values a channel, below which a variance is known to no better than a quarter
MORE = "give more inputs"


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """New values by the names of the model's tensors, and what is to be said about them.

    changes: a record for each layer, for the report.
    """

    values: Mapping[str, Array]
    changes: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]

    def pairs(self, graph: LayerGraph) -> Iterator[tuple[Tensor, Array]]:
        """The values with the tensors of the model's graph, or of its file."""
        tensors = graph.tensor_by_name
        yield from ((tensors[name], value) for name, value in self.values.items())


def recalibrated(
    running: Any, graph: LayerGraph, data: Any, progress: Progress, only: Collection[str] | None = None
) -> Recalibrated:
    """The statistics that a live model's norms get from the data.

    graph: the same model, or the file that it came from; its names and dtypes are those of the values.
    only: the names of the norms that change, None for all.
    Raises UsageError for data that do not fit, or a model without BatchNormalization.
    """
    inputs = framework_module("weightbridge.formats.keras.framework.inputs")
    computing = framework_module("weightbridge.formats.keras.framework.recalibrate")
    specs = inputs.input_specs(running, graph.path)
    given = calibration(data, specs)
    found = computing.statistics(running, given.inputs, progress, only)
    if not found:
        raise UsageError(
            "the model has no BatchNormalization that these inputs reach: there is nothing to recalibrate",
            where=graph.path,
            fix="Take the model as it is",
        )
    tensors = {(layer.name, tensor.role): tensor for layer in graph.layers for tensor in layer.tensors}
    values = {t.name: v for one in found for t, v in _of_layer(one, tensors)}
    changes = tuple(map(_change, found))
    return Recalibrated(values, changes, tuple(_said(changes, given.count)))


def _of_layer(one: Any, tensors: Mapping[tuple[str, str], Tensor]) -> Iterator[tuple[Tensor, Array]]:
    for role, value in one.found.items():
        tensor = tensors[one.name, role]
        yield tensor, value.astype(dtype_of(tensor.dtype))


def _change(one: Any) -> dict[str, Any]:
    """How far a layer's statistics moved: means in standard deviations of the new ones, deviations as
    ratios.
    """
    mean, variance = (one.found[role] for role in ("moving_mean", "moving_variance"))
    held_mean, held_variance = (
        one.held[role].astype(np.float64) for role in ("moving_mean", "moving_variance")
    )
    deviation = np.sqrt(np.maximum(variance, np.finfo(np.float32).tiny))
    is_constant = variance <= 0
    moved = np.where(is_constant, 0.0, np.abs(mean - held_mean) / deviation)
    ratio = np.where(is_constant, 1.0, np.sqrt(np.maximum(held_variance, 0.0)) / deviation)
    return {
        "layer": one.name,
        "channels": int(mean.size),
        "values": int(one.values),
        "constant": int(is_constant.sum()),
        "mean_moved": _rounded(moved.mean()),
        "mean_moved_most": _rounded(moved.max()),
        "deviation_ratio": _rounded(ratio.mean()),
    }


def _rounded(value: Any) -> float:
    """Four digits: what a reader needs, and the same on every machine."""
    return float(f"{float(value):.4g}")


def _said(changes: tuple[Mapping[str, Any], ...], count: int) -> Iterator[Finding]:
    most = max(changes, key=lambda change: change["mean_moved"])
    layers = f"{len(changes):,} BatchNormalization {'layer' if len(changes) == 1 else 'layers'}"
    moved = f"most in {most['layer']}: means by {most['mean_moved']:g} standard deviations on average"
    held = f"the deviation held before was {most['deviation_ratio']:g} times the new one"
    message = f"the statistics of {layers} are those of {count:,} inputs; {moved}, {held}"
    yield finding("WB310", message, source=most["layer"])
    few = [change for change in changes if change["values"] < FEW]
    if few:
        least = min(few, key=lambda change: change["values"])
        message = (
            f"{len(few):,} of {layers} have fewer than {FEW} values a channel ({least['layer']}: "
            f"{least['values']}), so that their variance is rough"
        )
        yield finding("WB302", message, source=least["layer"], fix=MORE)
