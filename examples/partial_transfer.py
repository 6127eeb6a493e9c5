"""Partial transfer: the first layers of a trained network, reused and frozen in a changed one whose new
layers learn another question.

The source knows ten digits from 1,200 labels. The new model has to say whether a digit is odd, from 50
labels.
"""

import tempfile
from pathlib import Path
from statistics import mean

import keras
import networks
from keras import layers

import weightbridge as wb
from weightbridge.commands.demo_digits import digits, few

SEEDS = (0, 1, 2)


def changed(seed: int) -> keras.Model:
    """The same trunk, then layers that the source does not have."""
    keras.utils.set_random_seed(seed)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="new_conv")(networks.trunk(image))
    x = layers.GlobalAveragePooling2D(name="new_pooled")(x)
    return keras.Model(image, layers.Dense(2, name="odd")(x))


def main() -> None:
    data = digits()
    source = Path(tempfile.mkdtemp()) / "trained.keras"
    trained = networks.classifier(10, seed=0)
    networks.train(trained, data.x, data.y, epochs=15, seed=0)
    trained.save(source)

    scores: tuple[list[float], list[float]] = ([], [])
    for seed in SEEDS:
        chosen = few(data.y, per_class=5, seed=seed)
        reused, control = changed(seed), changed(seed)
        report = wb.transfer(source, reused, fresh=("new_conv/*", "odd/*"), unused=("logits/*",))
        report.raise_for_verdict()
        wb.freeze(reused, report.plan)
        assert not reused.get_layer("conv1").trainable
        assert reused.get_layer("new_conv").trainable
        for model, found in zip((reused, control), scores, strict=True):
            networks.train(model, data.x[chosen], data.y[chosen] % 2, epochs=40, seed=seed)
            found.append(networks.accuracy(model, data.x_test, data.y_test % 2))
    networks.show(
        "partial transfer",
        mean(scores[0]),
        mean(scores[1]),
        "the same model, all of it trained on the same 50 labels",
    )


if __name__ == "__main__":
    main()
