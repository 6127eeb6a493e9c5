"""A layer graph of any format as a Keras 3 model: channels last, trainable, of Keras's own layers alone."""

from weightbridge.converting.from_graph.asked import asked_for
from weightbridge.converting.from_graph.draw import drawn
from weightbridge.converting.from_graph.values import Drawn, Settings

__all__ = ["Drawn", "Settings", "asked_for", "drawn"]
