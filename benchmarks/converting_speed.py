"""`weightbridge convert --no-verify` of old Keras files against what cannot be done without.

    python benchmarks/converting_speed.py [FOLDER]

That is `inspect` of the file and the copying of its bytes (`cp`, synced as OUTPUT is), as whole processes in
turns; seconds are of the processor. Sources are made by tf_keras where FOLDER does not have them.
"""

import sys
import tempfile
from pathlib import Path

from measuring import WEIGHTBRIDGE, Cost, Row, finish, medians, megabytes, python, run

BOUND = 1.5
TURNS = 7
COPY = "cp {0} {1} && sync {1}"
MAKE = """
import sys
import numpy as np
import tf_keras as keras
folder, generator = sys.argv[1], np.random.default_rng(0)
def saved(model, name):
    values = [generator.normal(0, 0.05, weight.shape).astype("float32") for weight in model.get_weights()]
    model.set_weights([abs(v) + 0.5 if "variance" in w.name else v for v, w in zip(values, model.weights)])
    model.save(f"{folder}/{name}.h5")
    return model
L = keras.layers
x = keras.Input((8, 8, 3))
saved(keras.Model(x, L.Dense(10)(L.Flatten()(L.Conv2D(16, 3, padding="same")(x)))), "small")
x = keras.Input((20, 30))
y = L.LSTM(512, recurrent_activation="sigmoid", return_sequences=True)(x)
saved(keras.Model(x, L.Dense(10)(L.LSTM(1024)(y))), "lstm")
for name in ("MobileNetV2", "ResNet50", "VGG16"):
    model = saved(getattr(keras.applications, name)(weights=None), name)
    if name == "ResNet50":
        model.save(f"{folder}/{name}.keras")
"""
SOURCES = ("small.h5", "lstm.h5", "MobileNetV2.h5", "ResNet50.h5", "ResNet50.keras", "VGG16.h5")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        if not all((folder / name).exists() for name in SOURCES):
            run(python(MAKE, folder))
        rows = [_row(folder / name, Path(temporary)) for name in SOURCES]
    finish("Keras 2 -> 3 against inspect and cp", rows, "python benchmarks/converting_speed.py")


def _row(source: Path, folder: Path) -> Row:
    output, copy = folder / "output.keras", folder / "copy"
    commands = (
        [WEIGHTBRIDGE, "convert", source, output, "--no-verify", "--no-progress"],
        [WEIGHTBRIDGE, "inspect", source],
        ["sh", "-c", COPY.format(source, copy)],
    )
    convert, inspect, copied = medians(commands, TURNS, fresh=output)
    output.unlink(missing_ok=True)
    copy.unlink()
    theirs = inspect.processor + copied.processor
    name = f"{source.name}, {megabytes(source.stat().st_size)}"
    ratio = convert.processor / theirs
    return Row(name, _said(convert), f"{theirs:.2f} s ({copied.processor:.2f} s of cp)", ratio, BOUND, False)


def _said(cost: Cost) -> str:
    return f"{cost.processor:.2f} s, {megabytes(cost.peak)} at most"


if __name__ == "__main__":
    main()
