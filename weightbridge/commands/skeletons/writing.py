"""A Keras file with all its weights in their places, `.keras` or `.h5`."""

import json
from pathlib import Path

from weightbridge import formats
from weightbridge.converting.values import Config
from weightbridge.formats.keras.architecture.config import parse_model
from weightbridge.formats.keras.emit.places import places_of
from weightbridge.formats.keras.emit.skeleton import VERSION, write_skeleton
from weightbridge.formats.keras.zip import graph_of
from weightbridge.model.graph import LayerGraph


def write_keras(path: Path, config: Config, shapes: LayerGraph) -> LayerGraph:
    """What `formats.read` makes of the file; of a `.keras` it is known without.

    shapes: of the weights that the configuration alone does not tell.
    """
    text = json.dumps(config)
    model = parse_model(json.loads(text), shapes.path)
    places = places_of(model, shapes)
    if path.suffix == ".keras":
        tree = write_skeleton(path, text, places)
        return formats.completed(graph_of(path, model, VERSION, tree), path)
    from weightbridge.formats.keras.emit.legacy import write_legacy_skeleton

    write_legacy_skeleton(path, config, places)
    return formats.read(path)
