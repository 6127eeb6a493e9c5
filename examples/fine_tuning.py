"""Fine-tuning on few labels: gradual unfreezing, rates by group and a pull to the start, beside plain fit.

The source knows the digits 0 to 4 from all their labels. The target has to tell 5 to 9 apart, from five
labels of each, with five more to watch. Means over five seeds with 95 % intervals; `--quick` has two seeds.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

import keras
import numpy as np

import weightbridge as wb
from weightbridge.commands.demo_digits import Digits, digits, few
from weightbridge.formats.keras.framework import demo
from weightbridge.keras import L2SP, DiscriminativeRates, GradualUnfreezing

IS_QUICK = "--quick" in sys.argv[1:]
SEEDS = (0, 1) if IS_QUICK else (0, 1, 2, 3, 4)
EPOCHS = 16 if IS_QUICK else 40
T95 = {2: 12.71, 5: 2.776}  # Student's t for an interval of the mean of so many
Callbacks = Callable[[wb.Report], list[keras.callbacks.Callback]]

ARMS: dict[str, Callbacks] = {
    "plain": lambda advice: [],
    "gradual unfreezing": lambda advice: [
        GradualUnfreezing(advice, monitor="val_loss", patience=1, min_delta=0.02)
    ],
    "rates by group": lambda advice: [DiscriminativeRates(advice)],
    "L2-SP": lambda advice: [L2SP(advice, strength=0.01, head_strength=0.01)],
}


def half(data: Digits, first: int) -> Digits:
    """Five digits from `first` on, as classes 0 to 4."""
    known, unseen = ((y >= first) & (y < first + 5) for y in (data.y, data.y_test))
    return Digits(data.x[known], data.y[known] - first, data.x_test[unseen], data.y_test[unseen] - first)


def trained(data: Digits) -> keras.Model:
    model = demo.resnet((8, 8, 1), 5, seed=0)
    demo.train(model, data.x, data.y, epochs=5 if IS_QUICK else 15, seed=0)
    return model


@dataclass(frozen=True)
class Task:
    """Five labels of each class to train on, five to watch, and what `advise` says of them."""

    seed: int
    given: tuple[np.ndarray, np.ndarray]
    held: tuple[np.ndarray, np.ndarray]
    start: list[np.ndarray]
    advice: wb.Report


def task(source: keras.Model, data: Digits, seed: int) -> Task:
    chosen, held = np.split(few(data.y, 10, seed).reshape(5, 10), 2, axis=1)
    given, watched = ((data.x[rows.ravel()], data.y[rows.ravel()]) for rows in (chosen, held))
    model = demo.resnet((8, 8, 1), 5, seed=100 + seed)
    wb.transfer(source, model, fresh="logits/*", unused="logits/*", verify=False)
    x, y = (np.concatenate(both) for both in zip(given, watched, strict=True))
    return Task(seed, given, watched, model.get_weights(), wb.advise(model, data={"x": x, "y": y}))


def fine_tuned(task: Task, data: Digits, callbacks: Callbacks) -> float:
    """Accuracy on unseen images after training on five labels of each class."""
    model = demo.resnet((8, 8, 1), 5, seed=100 + task.seed)
    model.set_weights(task.start)
    keras.utils.set_random_seed(task.seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    watched = {"validation_data": task.held, "callbacks": callbacks(task.advice)}
    model.fit(*task.given, batch_size=25, epochs=EPOCHS, verbose=0, **watched)
    return demo.accuracy(model, data.x_test, data.y_test)


def main() -> None:
    data = digits()
    source, target = trained(half(data, 0)), half(data, 5)
    tasks = [task(source, target, seed) for seed in SEEDS]
    for name, callbacks in ARMS.items():
        scores = [fine_tuned(one, target, callbacks) for one in tasks]
        spread = T95[len(SEEDS)] * stdev(scores) / len(SEEDS) ** 0.5
        print(f"{name:<20} {mean(scores):.3f} +- {spread:.3f}", flush=True)


if __name__ == "__main__":
    main()
