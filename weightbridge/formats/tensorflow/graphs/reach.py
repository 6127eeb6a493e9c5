"""What a graph has to compute for the values that are wanted."""

from collections.abc import Container, Iterable

from weightbridge.formats.tensorflow.graphs.inline import Flat, operation_of
from weightbridge.formats.tensorflow.graphs.messages import Operation


def reached_from(flat: Flat, values: Iterable[str], given: Container[str] = ()) -> list[Operation]:
    """The operations that the values are computed by, in the file's order. given: nothing behind these."""
    waiting, found = list(values), set[str]()
    while waiting:
        name = operation_of(flat.source(waiting.pop()))
        if name in flat.by_name and name not in found:
            found.add(name)
            waiting += () if name in given else flat.by_name[name].inputs
    return [operation for operation in flat.operations if operation.name in found]


def outputs_read(flat: Flat, values: Iterable[str], operations: Iterable[Operation]) -> dict[str, int]:
    """How many outputs of each operation are read, counted up to the last of them."""
    counts: dict[str, int] = {}
    for value in (*values, *(value for operation in operations for value in operation.inputs)):
        name, _, place = flat.source(value).partition(":")
        counts[name] = max(counts.get(name, 1), int(place or 0) + 1)
    return counts
