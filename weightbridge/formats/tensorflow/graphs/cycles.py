"""A graph whose cycles are operations that run a function each, as TensorFlow 2 writes loops."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from weightbridge.formats.tensorflow.graphs.frames import IN_FRAMES, Frame, frames, is_kind, readers_of
from weightbridge.formats.tensorflow.graphs.inline import operation_of, output, plain_value
from weightbridge.formats.tensorflow.graphs.messages import Attributes, Function, GraphDef, Loop, Operation
from weightbridge.formats.wire import Buffer

NOTHING = frozenset({"NoOp", "Const", "Placeholder", "Identity"})  # what is no output that is worth more
WORK = 4_000_000  # operations that are looked at, over all loops
Operations = Mapping[str, Operation]


def with_loops(graph: GraphDef, data: Buffer) -> GraphDef:
    """The innermost loops come first; a cycle that is no loop stays as it is."""
    for _ in range(WORK // max(len(graph.operations), 1)):
        operations = {operation.name: operation for operation in graph.operations}
        written = (_written(frame, graph, operations, data) for frame in frames(operations, data))
        found = next((one for one in written if one is not None), None)
        if found is None:
            break
        graph = found
    return graph


def _written(frame: Frame, graph: GraphDef, operations: Operations, data: Buffer) -> GraphDef | None:
    """The graph with the loop as one operation; None where the frame holds another one."""
    made = _functions(frame, operations)
    if not made or not made.keys().isdisjoint(graph.functions):
        return None
    types = tuple(Attributes(data, enter.attributes).integer("T") for enter in frame.enters)
    loop = Loop({name.rpartition("/")[2]: name for name in made}, types)
    entering = tuple(plain_value(enter.inputs[0]) for enter in frame.enters)
    whole = Operation(_free(frame.name, operations), "While", entering, loop=loop)
    inner = {operation.name for function in made.values() for operation in function.operations}
    return GraphDef((whole, *_outside(frame, whole.name, inner, operations)), {**graph.functions, **made})


def _functions(frame: Frame, operations: Operations) -> dict[str, Function]:
    """What a turn computes, and whether there is another one; nothing where either is not known."""
    arguments = {enter.name: f"{enter.name}/argument" for enter in frame.enters}
    kept = {enter.name: arguments[enter.name] for enter in frame.constants}
    turned = {output(one.switch, 1): arguments[one.enter.name] for one in frame.carried}
    asked = {one.merge: arguments[one.enter.name] for one in frame.carried}
    results = (*(one.result for one in frame.carried), *kept)
    names = tuple(arguments.values())
    body = _function(f"{frame.name}/body", names, results, kept | turned, operations)
    condition = _function(f"{frame.name}/cond", names, (frame.condition,), kept | asked, operations)
    return {} if body is None or condition is None else {body.name: body, condition.name: condition}


def _free(name: str, taken: Operations) -> str:
    while name in taken:
        name = f"{name}/loop"
    return name


def _function(
    name: str,
    arguments: tuple[str, ...],
    wanted: Iterable[str],
    given: Mapping[str, str],
    operations: Operations,
) -> Function | None:
    """given: by a value of the graph, the argument that it is inside."""
    results = tuple(wanted)
    found = _behind(results, operations, given)
    inside = [operations[one] for one in operations if one in found]
    if any(operation.op in IN_FRAMES for operation in inside):
        return None
    returned = tuple(given.get(value, value) for value in results)
    return Function(name, arguments, returned, tuple(_as_inside(operation, given) for operation in inside))


def _as_inside(operation: Operation, given: Mapping[str, str]) -> Operation:
    values = tuple(given.get(value, value) for value in map(plain_value, operation.inputs))
    return replace(operation, inputs=values, controls=())


def _behind(values: Iterable[str], among: Operations, given: Mapping[str, str]) -> set[str]:
    """The operations that values are computed by. given: nothing behind these."""
    waiting, found = [value for value in values if value not in given], set[str]()
    while waiting:
        name = operation_of(waiting.pop())
        if name in among and name not in found:
            found.add(name)
            waiting += (v for v in map(plain_value, among[name].inputs) if v not in given)
    return found


def _outside(frame: Frame, loop: str, inner: Set[str], operations: Operations) -> Iterable[Operation]:
    """What is left beside the loop: what leaves it, and all that others read."""
    exits = {one.exit: output(loop, place) for place, one in enumerate(frame.carried) if one.exit}
    turning = _turning(frame.parts - exits.keys(), operations.values()) | frame.parts
    others = [o for o in operations.values() if o.name not in turning | inner]
    read = _values_read(others)
    shared = _behind(read, {name: operations[name] for name in inner - turning}, {})
    kept = {o.name for o in others} | shared
    left = _exits_read(exits, others, read)
    return (
        replace(o, op="Identity", inputs=(exits[o.name],), attributes={}) if o.name in left else o
        for o in operations.values()
        if o.name in kept or o.name in left
    )


def _values_read(operations: Iterable[Operation]) -> set[str]:
    return {value for operation in operations for value in map(plain_value, operation.inputs)}


def _exits_read(exits: Mapping[str, str], others: Sequence[Operation], read: Set[str]) -> set[str]:
    """Those that others read; all of them where the graph gives nothing else."""
    gives_more = any(o.op not in NOTHING and o.name not in read for o in others)
    return {name for name in exits if name in read or not gives_more}


def _turning(parts: Set[str], operations: Iterable[Operation]) -> set[str]:
    """What is computed of the values of each turn, and does not leave the loop."""
    readers = readers_of(operations, operation_of)
    waiting, found = list(parts), set(parts)
    while waiting:
        inside = [
            o.name for o in readers.get(waiting.pop(), ()) if not is_kind(o, "Exit") and o.name not in found
        ]
        found.update(inside)
        waiting += inside
    return found
