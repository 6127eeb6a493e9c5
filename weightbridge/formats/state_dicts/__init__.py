"""State dicts: tensors with names alone, in one file or several, as layers of a graph."""

from weightbridge.formats.state_dicts.asked import Asked, asked_of
from weightbridge.formats.state_dicts.graph import StateDict, graph_of

__all__ = ["Asked", "StateDict", "asked_of", "graph_of"]
