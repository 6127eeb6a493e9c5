"""Loops of a graph that are cycles of Enter, Merge, Switch and NextIteration: what each carries.

TensorFlow 1 writes loops so, and so does whoever freezes a graph of TensorFlow 2.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from weightbridge.formats.tensorflow.graphs.inline import operation_of, plain_value
from weightbridge.formats.tensorflow.graphs.messages import Attributes, Operation
from weightbridge.formats.wire import Buffer

IN_FRAMES = frozenset(
    op + name
    for op in ("", "Ref")
    for name in ("Enter", "Exit", "Merge", "Switch", "NextIteration", "LoopCond")
)
Readers = Mapping[str, Sequence[Operation]]


@dataclass(frozen=True, slots=True)
class Turning:
    """One value that a loop carries. result: of one turn. exit: what gives the last one, "" for nothing."""

    enter: Operation
    merge: str
    switch: str
    back: str
    decision: str
    result: str
    exit: str

    @property
    def parts(self) -> frozenset[str]:
        """The names of what turns it."""
        names = (self.enter.name, self.merge, self.switch, self.back, self.decision, self.exit)
        return frozenset(names) - {""}


@dataclass(frozen=True, slots=True)
class Frame:
    """constants: what enters and stays as it is. condition: the value that says whether to go on."""

    name: str
    carried: tuple[Turning, ...]
    constants: tuple[Operation, ...]
    condition: str

    @property
    def enters(self) -> tuple[Operation, ...]:
        return (*(one.enter for one in self.carried), *self.constants)

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(o.name for o in self.constants).union(*(one.parts for one in self.carried))


def frames(operations: Mapping[str, Operation], data: Buffer) -> Iterator[Frame]:
    """operations: of a graph, by name. What is no whole cycle is none."""
    by_frame: dict[str, list[Operation]] = {}
    for operation in operations.values():
        if is_kind(operation, "Enter") and operation.inputs:
            name = Attributes(data, operation.attributes).text("frame_name")
            by_frame.setdefault(name, []).append(operation)
    readers = readers_of(operations.values(), str) if by_frame else {}
    for name, enters in by_frame.items():
        frame = _frame(name, enters, operations, readers, data)
        if frame is not None:
            yield frame


def readers_of(operations: Iterable[Operation], key: Callable[[str], str]) -> dict[str, list[Operation]]:
    """Who reads each value. key: of a value."""
    readers: dict[str, list[Operation]] = {}
    for operation in operations:
        for value in map(plain_value, operation.inputs):
            readers.setdefault(key(value), []).append(operation)
    return readers


def is_kind(operation: Operation, op: str) -> bool:
    return operation.op in (op, f"Ref{op}")


def _frame(
    name: str,
    enters: Sequence[Operation],
    operations: Mapping[str, Operation],
    readers: Readers,
    data: Buffer,
) -> Frame | None:
    constants = [o for o in enters if Attributes(data, o.attributes).integer("is_constant")]
    turning = [_turning(o, operations, readers) for o in enters if o not in constants]
    carried = [one for one in turning if one is not None]
    decisions = {one.decision for one in carried}
    if len(carried) != len(turning) or len(decisions) != 1:
        return None
    condition = plain_value(operations[decisions.pop()].inputs[0])
    return Frame(name, tuple(carried), tuple(constants), condition)


def _turning(enter: Operation, operations: Mapping[str, Operation], readers: Readers) -> Turning | None:
    merge = _only("Merge", readers.get(enter.name, ()))
    switch = None if merge is None else _only("Switch", readers.get(merge.name, ()))
    if merge is None or switch is None or len(switch.inputs) != 2:
        return None
    back = _others(merge, enter.name, operations)
    decision = operations.get(operation_of(plain_value(switch.inputs[1])))
    if (
        not _gives("NextIteration", back)
        or not _gives("LoopCond", decision)
        or back is None
        or decision is None
    ):
        return None
    left = _only("Exit", readers.get(switch.name, ()))
    gone, result = "" if left is None else left.name, plain_value(back.inputs[0])
    return Turning(enter, merge.name, switch.name, back.name, decision.name, result, gone)


def _only(op: str, operations: Sequence[Operation]) -> Operation | None:
    found = [operation for operation in operations if is_kind(operation, op)]
    return found[0] if len(found) == 1 else None


def _others(merge: Operation, enter: str, operations: Mapping[str, Operation]) -> Operation | None:
    """What a Merge of two values reads beside the one that enters."""
    names = [operation_of(value) for value in map(plain_value, merge.inputs) if value != enter]
    return operations.get(names[0]) if len(names) == 1 and len(merge.inputs) == 2 else None


def _gives(op: str, operation: Operation | None) -> bool:
    return operation is not None and is_kind(operation, op) and len(operation.inputs) == 1
