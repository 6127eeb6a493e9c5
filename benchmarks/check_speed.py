"""`weightbridge check` of a ResNet50 pair against what a user would do instead.

Load the model and its weights in Keras.
"""

import sys
import tempfile
from pathlib import Path

from measuring import WEIGHTBRIDGE, Row, finish, medians, megabytes, python
from resnet50 import SOURCES, build

KERAS = "import sys, keras; keras.models.load_model(sys.argv[1]).load_weights(sys.argv[2])"


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary))
        for source in SOURCES:
            command = (WEIGHTBRIDGE, "check", folder / source, folder / "target.keras")
            ours, theirs = medians(
                (command, python(KERAS, folder / "target.keras", folder / source)), times=5
            )
            rows += [
                Row(f"{source}: time", ours.said, theirs.said, theirs.seconds / ours.seconds, 10, True),
                Row(
                    f"{source}: peak memory",
                    megabytes(ours.peak),
                    megabytes(theirs.peak),
                    theirs.peak / ours.peak,
                    8,
                    True,
                ),
            ]
    finish(
        "check of a ResNet50 pair against keras load_model + load_weights",
        rows,
        "python benchmarks/check_speed.py",
    )


if __name__ == "__main__":
    main()
