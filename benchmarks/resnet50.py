"""The pair of files that two benchmarks share.

A ResNet50 as .keras, and other weights for it in both HDF5 layouts.
"""

from pathlib import Path

from measuring import python, run

BUILD = """
import sys
import keras
folder = sys.argv[1]
keras.utils.set_random_seed(0)
keras.applications.ResNet50(weights=None).save(folder + "/target.keras")
keras.backend.clear_session()
keras.utils.set_random_seed(1)
source = keras.applications.ResNet50(weights=None)
source.save(folder + "/source.h5")
source.save_weights(folder + "/source.weights.h5")
"""
SOURCES = ("source.weights.h5", "source.h5")


def build(folder: Path) -> Path:
    """Write the files unless they are there; the folder of them."""
    if not (folder / "source.weights.h5").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(python(BUILD, folder))
    return folder
