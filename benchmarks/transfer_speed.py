"""`weightbridge transfer --no-verify` of a ResNet50 pair, file to file, against load, load_weights and save in Keras."""

import sys
import tempfile
from pathlib import Path

from measuring import WEIGHTBRIDGE, Row, finish, median, megabytes, python
from resnet50 import SOURCES, build

KERAS = """
import sys
import keras
model = keras.models.load_model(sys.argv[1])
model.load_weights(sys.argv[2])
model.save(sys.argv[3])
"""


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary))
        output = Path(temporary) / "output.keras"
        for source in SOURCES:
            command = (WEIGHTBRIDGE, "transfer", folder / source, folder / "target.keras", output, "--no-verify", "--no-progress")
            ours = median(command, times=5, fresh=output)
            theirs = median(python(KERAS, folder / "target.keras", folder / source, output), times=3, fresh=output)
            times = f"{ours.seconds:.2f} s, {megabytes(ours.peak)}", f"{theirs.seconds:.2f} s, {megabytes(theirs.peak)}"
            rows.append(Row(source, *times, theirs.seconds / ours.seconds, 6, True))
    finish("transfer of a ResNet50 pair against keras load_model + load_weights + save", rows, "python benchmarks/transfer_speed.py")


if __name__ == "__main__":
    main()
