"""What values of a wrong type or size in a configuration do to the code that reads it."""

from collections.abc import Iterator
from contextlib import contextmanager

from weightbridge.errors import Corrupt
from weightbridge.formats.keras.architecture.flow import Node

CAUSED_BY_FILES = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    ZeroDivisionError,
    OverflowError,
    RecursionError,
)


@contextmanager
def sensible(node: Node, where: str) -> Iterator[None]:
    """For code that does nothing but compute from a node's configuration, which may hold anything.

    Raises Corrupt where that fails. Code that does more stays outside: its errors are ours.
    """
    try:
        yield
    except CAUSED_BY_FILES as error:
        raise Corrupt(
            f"the configuration of this {node.layer.class_name} makes no sense: {error!r}",
            where=f"{where}: {node.name}",
            fix="Save the model again",
        ) from error
