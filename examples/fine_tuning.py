"""Fine-tuning on few labels: gradual unfreezing, rates by group and a pull to the start, beside plain fit.

The source knows the digits 0 to 4 from all their labels. The target has to tell 5 to 9 apart, from five
labels of each, with five more to watch. Means over five seeds with 95 % intervals; `--quick` has two seeds.
"""

import sys
from collections.abc import Callable
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


def fine_tuned(source: keras.Model, data: Digits, seed: int, callbacks: Callbacks) -> float:
    """Accuracy on unseen images after training on five labels of each class."""
    chosen, held = np.split(few(data.y, 10, seed).reshape(5, 10), 2, axis=1)
    x, y, x_held, y_held = (array[rows.ravel()] for rows in (chosen, held) for array in (data.x, data.y))
    model = demo.resnet((8, 8, 1), 5, seed=100 + seed)
    wb.transfer(source, model, fresh="logits/*", unused="logits/*", verify=False)
    advice = wb.advise(model, data={"x": np.concatenate([x, x_held]), "y": np.concatenate([y, y_held])})
    keras.utils.set_random_seed(seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    given = {"validation_data": (x_held, y_held), "callbacks": callbacks(advice)}
    model.fit(x, y, batch_size=25, epochs=EPOCHS, verbose=0, **given)
    return demo.accuracy(model, data.x_test, data.y_test)


def main() -> None:
    data = digits()
    source, target = trained(half(data, 0)), half(data, 5)
    for name, callbacks in ARMS.items():
        scores = [fine_tuned(source, target, seed, callbacks) for seed in SEEDS]
        spread = T95[len(SEEDS)] * stdev(scores) / len(SEEDS) ** 0.5
        print(f"{name:<20} {mean(scores):.3f} +- {spread:.3f}")


if __name__ == "__main__":
    main()
