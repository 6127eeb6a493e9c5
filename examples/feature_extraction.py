"""Feature extraction: a trained network, cut at a named layer by `weightbridge features`, and a new model
trained on what comes out.

The source knows ten digits from 1,200 labels. The new model has to say whether a digit is odd, from 50
labels.
"""

import subprocess
import tempfile
from pathlib import Path
from statistics import mean

import keras
import networks
import numpy as np

from weightbridge.commands.demo_digits import Digits, digits, few, linear_head

SEEDS = (0, 1, 2)


def main() -> None:
    data = digits()
    folder = Path(tempfile.mkdtemp())
    trained = networks.classifier(10, seed=0)
    networks.train(trained, data.x, data.y, epochs=15, seed=0)
    trained.save(folder / "trained.keras")
    random = networks.classifier(10, seed=1)
    random.save(folder / "random.keras")

    scores = [score(extractor(folder / name), data) for name in ("trained.keras", "random.keras")]
    pixels = score(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]), data)
    networks.show(
        "feature extraction",
        *scores,
        f"features of the same network untrained; {pixels:.3f} on the bare pixels",
    )


def extractor(model: Path) -> keras.Model:
    """The model up to its layer `pooled`."""
    output = model.with_suffix(".features.keras")
    subprocess.run(["weightbridge", "features", model, "pooled", output, "--quiet"], check=True)
    return keras.models.load_model(output)


def score(model: keras.Model, data: Digits) -> float:
    """The mean accuracy of a linear model on the features, in three draws of 5 labelled images a digit."""
    seen, unseen = (np.asarray(model(x, training=False)) for x in (data.x, data.x_test))
    draws = [few(data.y, per_class=5, seed=seed) for seed in SEEDS]
    return mean(float((linear_head(seen[i], data.y[i] % 2, unseen) == data.y_test % 2).mean()) for i in draws)


if __name__ == "__main__":
    main()
