"""Adapters at transfer time: the target's value, in float64, from the source's arrays and a step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from weightbridge.adapters.apply.maps_of_axes import map_axes
from weightbridge.adapters.apply.moments import expected_statistics
from weightbridge.adapters.apply.positions import resized_positions
from weightbridge.adapters.apply.rows import grown_rows
from weightbridge.model.tensors import Array
from weightbridge.plan import Step
from weightbridge.transforms import apply as transformed
from weightbridge.transforms import gathered

Adapter = Callable[[Sequence[Array], Mapping[str, Any], tuple[int, ...]], tuple[Array, float]]


def apply(step: Step, arrays: Sequence[Array]) -> tuple[Array, float]:
    """The step's value (float64, of the step's shape), and the share of the source's energy that it keeps."""
    if "weights" in step.parameters:  # the source's weights are themselves computed from stored tensors
        arrays = gathered(step.parameters["weights"], arrays)
    adapter = ADAPTERS.get(step.transform, _exact(step.transform))
    value, kept = adapter(arrays, step.parameters, step.shape)
    if value.shape != step.shape:
        raise ValueError(f"{step.target}: {step.transform} gives {value.shape}, expected {step.shape}")
    return value, kept


def with_energy(step: Step, kept: float) -> Step:
    """The step with what it cost, now that values are known."""
    if kept >= 1.0 - 1e-12:
        return replace(step, energy_kept=kept)
    lost = f"{100 * (1 - kept):.2g} % of the energy"
    cost = f"{lost}, {step.cost}" if step.cost else lost
    return replace(step, energy_kept=kept, cost=cost)


def _exact(transform: str) -> Adapter:
    """A transform that loses nothing."""

    def run(
        arrays: Sequence[Array], parameters: Mapping[str, Any], _: tuple[int, ...]
    ) -> tuple[Array, float]:
        return np.asarray(transformed(transform, parameters, arrays)), 1.0

    return run


def _identity(
    _: Sequence[Array], parameters: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Array, float]:
    """A kernel that passes its input on: ones where `in` and `out` meet, at the tap of the place itself."""
    value = np.zeros(shape)
    taps = {int(axis): int(tap) for axis, tap in parameters["taps"].items()}
    at_centre = tuple(taps.get(axis, slice(None)) for axis in range(len(shape)))
    np.fill_diagonal(value[at_centre], 1.0)
    return value, 1.0


def _constant(
    _: Sequence[Array], parameters: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Array, float]:
    return np.full(shape, float(parameters["value"])), 1.0


ADAPTERS: dict[str, Adapter] = {
    "map-axes": map_axes,
    "identity-kernel": _identity,
    "fill": _constant,
    "resize-positions": resized_positions,
    "expected-statistics": expected_statistics,
    "undone-norm": expected_statistics,
    "grown-rows": grown_rows,
}
