"""The channels between two cut models, fitted by least squares on what both compute for the same inputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from weightbridge.errors import RunError, UsageError
from weightbridge.formats.calibration import calibration
from weightbridge.formats.keras.framework.backends import as_array, as_tensor, inference
from weightbridge.formats.keras.framework.inputs import input_specs
from weightbridge.model.tensors import Array

RIDGE, BATCH, HELD = 1e-3, 64, 5  # every fifth input is held out to measure


@dataclass(frozen=True, slots=True)
class Fit:
    """layer: what was fitted, on how many inputs. r2: of what the tail reads, on inputs held out."""

    layer: str
    inputs: int
    r2: float


def fit(model: Any, layer: Any, target: Any, start: Any, data: Any) -> Fit:
    """Set the layer's kernel and bias so that the tail reads what it reads in the target itself.

    model: the joined one, whose inputs are the source's. start: the tensor that the tail reads in the target.
    Raises UsageError for data that do not fit both models, RunError where a value is not finite.
    """
    ours, theirs = input_specs(model, "the source"), input_specs(target, "the target")
    given = calibration(data, ours)
    if len(ours) != len(theirs):
        message = f"the source has {len(ours)} inputs and the target {len(theirs)}"
        raise UsageError(f"{message}, so that no data fit both", fix="Leave out calibrate")
    named = {theirs[n].name: given.inputs[ours[n].name] for n in range(len(ours))}
    both = calibration(named, theirs)
    before = keras.Model(model.inputs, layer.input)
    wanted = keras.Model(target.inputs, start)
    arrays = [given.inputs[spec.name] for spec in ours], [both.inputs[spec.name] for spec in theirs]
    fitted, held = Sums.empty(), Sums.empty()
    for n, (features, values) in enumerate(_rows(before, wanted, arrays)):
        part = held if n % HELD == HELD - 1 else fitted
        part.add(features, values)
    r2 = held.r2(*fitted.solved()) if held.count else fitted.r2(*fitted.solved())
    kernel, bias = fitted.joined(held).solved()
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise RunError("what the two models compute on these inputs is not finite", where=str(model.name))
    layer.set_weights([kernel.reshape(layer.kernel.shape), bias])
    return Fit(layer.name, given.count, float(f"{r2:.4g}"))


def _rows(before: Any, wanted: Any, arrays: tuple[list[Array], list[Array]]) -> Iterator[tuple[Array, Array]]:
    """One input at a time, values x channels of both; they are computed in batches."""
    count = len(arrays[0][0])
    for first in range(0, count, BATCH):
        with inference("float32"):
            features, values = (
                as_array(part([as_tensor(a[first : first + BATCH]) for a in own], training=False))
                for part, own in zip((before, wanted), arrays, strict=True)
            )
        for one, other in zip(features.astype(np.float64), values.astype(np.float64), strict=True):
            yield one.reshape(-1, one.shape[-1]), other.reshape(-1, other.shape[-1])


@dataclass(slots=True)
class Sums:
    """Sums of products in float64, from which a linear map and its error follow."""

    count: int
    gram: Array
    mixed: Array
    squares: Array

    @classmethod
    def empty(cls) -> "Sums":
        return cls(0, np.zeros(()), np.zeros(()), np.zeros(()))

    def add(self, features: Array, values: Array) -> None:
        with_one = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        with_value = np.concatenate([values, np.ones((len(values), 1))], axis=1)
        self.gram = self.gram + with_one.T @ with_one
        self.mixed = self.mixed + with_one.T @ with_value
        self.squares = self.squares + np.square(values).sum(axis=0)
        self.count += len(features)

    def joined(self, other: "Sums") -> "Sums":
        if not other.count:
            return self
        return Sums(
            self.count + other.count, self.gram + other.gram, self.mixed + other.mixed,
            self.squares + other.squares,
        )  # fmt: skip

    def solved(self) -> tuple[Array, Array]:
        """Kernel and bias of the ridge regression on centred features."""
        mean, centre = self.gram[-1, :-1] / self.count, self.mixed[-1, :-1] / self.count
        covariance = self.gram[:-1, :-1] / self.count - np.outer(mean, mean)
        mixed = self.mixed[:-1, :-1] / self.count - np.outer(mean, centre)
        covariance[np.diag_indices(len(mean))] += RIDGE * np.trace(covariance) / len(mean) + 1e-12
        kernel = np.linalg.solve(covariance, mixed)
        return kernel, centre - mean @ kernel

    def r2(self, kernel: Array, bias: Array) -> float:
        """The share of the values' variance that the map explains here."""
        full = np.concatenate([kernel, bias[None]], axis=0)
        explained = 2 * (full * self.mixed[:, :-1]).sum() - (full * (self.gram @ full)).sum()
        mean = self.mixed[-1, :-1] / self.count
        total = float(self.squares.sum() - self.count * np.square(mean).sum())
        error = float(self.squares.sum() - explained)
        return 1 - error / total if total > 0 else 0.0
