"""A Keras model of any age -> the configuration of the same model in Keras 3."""

from collections.abc import Iterable

from weightbridge.converting.hard_sigmoid import scalings
from weightbridge.converting.models import model_entry
from weightbridge.converting.rewrite import rewritten
from weightbridge.converting.values import Lowered, Said, frozen, note
from weightbridge.errors import Unsupported
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.model.graph import LayerGraph
from weightbridge.rules.dialects import version_of

KERAS_2 = (2,)
COSINE = "the cosine of Keras 1 of anything but vectors has no layer in Keras 3"
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
    _refuse_cosines(graph, said)
    if said.refused:
        raise Unsupported(_refusal(said.refused.items()), where=graph.path, fix=BY_CODE)
    scaled = scalings(graph)
    if scaled:
        said.training[TRAINING_OF_SCALED] = list(dict.fromkeys(layer for layer, _ in scaled))
    return Lowered(config, scaled, frozen(said.rewritten), frozen(said.training), frozen(said.left))


def _refuse_cosines(graph: LayerGraph, said: Said) -> None:
    """Keras 1 divided the cosine of sequences by products of other steps; of vectors it is Keras 3's."""
    if version_of(graph.producer.rpartition(" ")[2]) >= KERAS_2:
        return
    for edge in graph.edges:
        layer, shape = graph.by_name[edge.target], graph.by_name[edge.source].output_shape
        if layer.op == "Dot" and layer.settings.get("normalize") and (shape is None or len(shape) != 1):
            note(said.refused, COSINE, layer.name)


def _refusal(refused: Iterable[tuple[str, list[str]]]) -> str:
    return "; ".join(f"{sentence}: {', '.join(layers[:10])}" for sentence, layers in refused)
