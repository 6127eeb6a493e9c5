"""A Keras file with all its weights in their places, `.keras` or `.h5`."""

from pathlib import Path

from weightbridge.converting.values import Config
from weightbridge.formats.keras.emit.legacy import write_legacy_skeleton
from weightbridge.formats.keras.emit.places import places_of
from weightbridge.formats.keras.emit.skeleton import write_skeleton
from weightbridge.model.graph import LayerGraph


def write_keras(path: Path, config: Config, shapes: LayerGraph) -> None:
    """shapes: of the weights that the configuration alone does not tell."""
    written = write_skeleton if path.suffix == ".keras" else write_legacy_skeleton
    written(path, config, places_of(config, shapes))
