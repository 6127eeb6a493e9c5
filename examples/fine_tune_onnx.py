"""An ONNX file becomes a Keras model that is trained on: three epochs on another question.

The file knows ten digits. The model has to say whether a digit is odd, from 400 labels.
"""

from pathlib import Path
from statistics import mean

import networks
from keras import Model, layers, models, utils

import weightbridge as wb
from weightbridge.commands.demo_digits import digits, few

FILE = Path(__file__).parent / "models" / "torch.onnx"
SEEDS = (0, 1, 2)


def with_new_head(model: Model, seed: int) -> Model:
    """All but the last layer, and a layer of two classes."""
    utils.set_random_seed(seed)
    return Model(model.input, layers.Dense(2, name="odd")(model.layers[-2].output))


def main() -> None:
    data = digits()
    converted = wb.convert(FILE)
    assert isinstance(converted, Model)
    scores: tuple[list[float], list[float]] = ([], [])
    for seed in SEEDS:
        chosen = few(data.y, per_class=40, seed=seed)
        utils.set_random_seed(seed)
        trained, control = models.clone_model(converted), models.clone_model(converted)
        trained.set_weights(converted.get_weights())
        for body, found in zip((trained, control), scores, strict=True):
            model = with_new_head(body, seed)
            networks.train(model, data.x[chosen], data.y[chosen] % 2, epochs=3, seed=seed)
            found.append(networks.accuracy(model, data.x_test, data.y_test % 2))
    networks.show(
        "three epochs from an ONNX file", mean(scores[0]), mean(scores[1]), "the same network untrained"
    )


if __name__ == "__main__":
    main()
