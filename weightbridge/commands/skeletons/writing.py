"""A Keras file with all its weights in their places, `.keras` or `.h5`."""

import json
from pathlib import Path

from weightbridge import formats
from weightbridge.converting.values import Config
from weightbridge.formats.keras.emit.legacy import write_legacy_skeleton
from weightbridge.formats.keras.emit.places import places_of
from weightbridge.formats.keras.emit.skeleton import VERSION, write_skeleton
from weightbridge.formats.keras.zip import graph_of
from weightbridge.model.graph import LayerGraph


def write_keras(path: Path, config: Config, shapes: LayerGraph) -> LayerGraph:
    """What `formats.read` makes of the file; of a `.keras` it is known without.

    shapes: of the weights that the configuration alone does not tell.
    """
    places = places_of(config, shapes)
    if path.suffix == ".keras":
        text, tree = write_skeleton(path, config, places)
        return formats.completed(graph_of(path, json.loads(text), VERSION, tree), path)
    write_legacy_skeleton(path, config, places)
    return formats.read(path)
