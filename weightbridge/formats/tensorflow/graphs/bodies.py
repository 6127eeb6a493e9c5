"""The function that a loop runs as a graph of its own: its arguments are inputs, its results outputs."""

from weightbridge.formats.tensorflow.graphs.inline import Flat, inlined, output
from weightbridge.formats.tensorflow.graphs.messages import Function, GraphDef, Operation
from weightbridge.formats.wire import Buffer

LOOPS = frozenset({"While", "StatelessWhile"})
CALL = "body"


def flat_body(function: Function, flat: Flat, data: Buffer) -> tuple[Flat, tuple[str, ...]]:
    """The operations of a function with all that it calls, and the values that it returns."""
    arguments = [Operation(name, "Placeholder", ()) for name in function.arguments]
    call = f"{CALL}/{function.name}"
    operations = (*arguments, Operation(call, function.name, function.arguments))
    inner = inlined(GraphDef(operations, flat.functions), data)
    return inner, tuple(output(call, place) for place in range(len(function.results)))
