"""Direct transfer: a trained network's legacy .h5 file into the same architecture, built elsewhere under
other names.
"""

import tempfile
from pathlib import Path

import keras
import networks

import weightbridge as wb
from weightbridge.commands.demo_digits import digits


def main() -> None:
    data = digits()
    folder = Path(tempfile.mkdtemp())
    trained = networks.classifier(10, seed=0)
    networks.train(trained, data.x, data.y, epochs=15, seed=0)
    trained.save(folder / "trained.h5")
    mine = networks.classifier(10, seed=1, name="encoder_layer_", head="classes")
    mine.save(folder / "mine.keras")

    report = wb.transfer(folder / "trained.h5", folder / "mine.keras", output=folder / "filled.keras")
    report.raise_for_verdict()

    filled = keras.models.load_model(folder / "filled.keras")
    before, after = (networks.accuracy(model, data.x_test, data.y_test) for model in (mine, filled))
    assert after == networks.accuracy(trained, data.x_test, data.y_test)
    networks.show("identical architecture", after, before, "the same model as it was built")


if __name__ == "__main__":
    main()
