"""`weightbridge transfer --no-verify` of a ResNet50 pair, file to file, against load, load_weights and save
in Keras.
"""

import sys
import tempfile
from pathlib import Path

from measuring import WEIGHTBRIDGE, Row, finish, medians, megabytes, python
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
            command = (
                WEIGHTBRIDGE,
                "transfer",
                folder / source,
                folder / "target.keras",
                output,
                "--no-verify",
                "--no-progress",
            )
            keras = python(KERAS, folder / "target.keras", folder / source, output)
            ours, theirs = medians((command, keras), times=5, fresh=output)
            times = f"{ours.said}, {megabytes(ours.peak)}", f"{theirs.said}, {megabytes(theirs.peak)}"
            rows.append(Row(source, *times, theirs.seconds / ours.seconds, 6, True))
    finish(
        "transfer of a ResNet50 pair against keras load_model + load_weights + save",
        rows,
        "python benchmarks/transfer_speed.py",
    )


if __name__ == "__main__":
    main()
