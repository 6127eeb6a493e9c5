"""A Keras model of any age -> the configuration of the same model in Keras 3."""

from collections.abc import Iterable

from weightbridge.converting.hard_sigmoid import scalings
from weightbridge.converting.models import model_entry
from weightbridge.converting.rewrite import rewritten
from weightbridge.converting.values import Lowered, Said, frozen
from weightbridge.errors import Unsupported
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.model.graph import LayerGraph

BY_CODE = "give the model as py:package.module:callable"
TRAINING_OF_SCALED = (
    "weights are 1.2 times as large where hard_sigmoid reads them, and learn that much faster: "
    "train with a smaller learning rate where that matters"
)


def lowered(graph: LayerGraph) -> Lowered:
    """The configuration, with what was rewritten for it.

    Raises Unsupported with everything that Keras 3 has no layer for.
    """
    tree = graph.architecture
    assert isinstance(tree, ConfigLayer), f"{graph.path} has no architecture"
    said = Said()
    config = model_entry(rewritten(tree, said), graph, said)
    if said.refused:
        raise Unsupported(_refusal(said.refused.items()), where=graph.path, fix=BY_CODE)
    scaled = scalings(graph)
    if scaled:
        said.training[TRAINING_OF_SCALED] = list(dict.fromkeys(layer for layer, _ in scaled))
    return Lowered(config, scaled, frozen(said.rewritten), frozen(said.training), frozen(said.left))


def _refusal(refused: Iterable[tuple[str, list[str]]]) -> str:
    return "; ".join(f"{sentence}: {', '.join(layers[:10])}" for sentence, layers in refused)
