"""The embedded digits: real images, draws of few labels, and a linear head."""

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from weightbridge.model.tensors import Array


@dataclass(frozen=True, slots=True)
class Digits:
    """Images (n, 8, 8, 1) float32 from 0 to 1 with their labels.

    1,200 are there to learn from and 597, chosen by the seed, to measure with.
    """

    x: Array
    y: Array
    x_test: Array
    y_test: Array


def digits(seed: int = 0) -> Digits:
    """The embedded images, shuffled by the seed and split; data/README.md says where they come from."""
    with (
        files("weightbridge").joinpath("commands/data/digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        images, labels = stored["images"], stored["labels"]
    order = np.random.default_rng(seed).permutation(len(labels))
    x, y = (images[order, ..., None] / 16).astype("float32"), labels[order].astype("int32")
    return Digits(x[:1200], y[:1200], x[1200:], y[1200:])


def few(y: Array, per_class: int, seed: int) -> Array:
    """Indices of `per_class` random items of every class, classes in order."""
    random = np.random.default_rng(seed)
    return np.concatenate(
        [random.choice(np.flatnonzero(y == c), per_class, replace=False) for c in np.unique(y)]
    )


def linear_head(x: Array, y: Array, x_test: Array, strength: float = 1e-2) -> Array:
    """Labels for x_test by ridge regression to one-hot labels on standardised features."""
    spread = x.std(axis=0) + 1e-6
    a, b = ((part - x.mean(axis=0)) / spread for part in (x, x_test))
    classes = np.unique(y)
    one_hot = (y[:, None] == classes).astype("float64")
    centred = one_hot - one_hot.mean(axis=0)
    gram = a.T @ a + strength * len(a) * np.eye(a.shape[1])
    scores = b @ np.linalg.solve(gram, a.T @ centred)
    labels: Array = classes[scores.argmax(axis=1)]
    return labels
