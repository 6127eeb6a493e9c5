"""Means and variances of channels in float64, batch by batch, without losing digits."""

from dataclasses import dataclass, field

import numpy as np

from weightbridge.model.tensors import Array


@dataclass(slots=True)
class Moments:
    """Count, mean and sum of squared deviations of each channel, in float64, batch by batch.

    The batches are joined as in Chan, Golub and LeVeque 1979, so that no digits are lost.
    """

    count: int = 0
    mean: Array = field(default_factory=lambda: np.zeros(0))
    squares: Array = field(default_factory=lambda: np.zeros(0))

    def add(self, rows: Array) -> None:
        """rows: values x channels."""
        if not len(rows):
            return
        mean = rows.mean(axis=0)
        squares = ((rows - mean) ** 2).sum(axis=0)
        if self.count:
            total = self.count + len(rows)
            moved = mean - self.mean
            squares = self.squares + squares + moved**2 * (self.count * len(rows) / total)
            mean = self.mean + moved * (len(rows) / total)
        self.count, self.mean, self.squares = self.count + len(rows), mean, squares

    @property
    def variance(self) -> Array:
        """Of the population, as Keras takes it in training."""
        return self.squares / max(self.count, 1)
