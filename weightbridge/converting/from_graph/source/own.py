"""Files by the own writer, which says some layers in a way that others mean something else by."""

from weightbridge.model.graph import LayerGraph

PRODUCER = "weightbridge"


def made_here(graph: LayerGraph) -> bool:
    return graph.producer.split(" ")[0] == PRODUCER
