"""Branches of a graph that never run: a Switch by a constant, and the Merge that joins what it parts.

So TensorFlow 1 says what differs in training. A switch that a caller may set is read as he leaves it.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from weightbridge.formats.tensorflow.graphs.frames import is_kind, readers_of
from weightbridge.formats.tensorflow.graphs.inline import PASSING, operation_of, output, plain_value
from weightbridge.formats.tensorflow.graphs.messages import Attributes, GraphDef, Operation, constant_span
from weightbridge.formats.tensorflow.saved_model.constants import Constant, constant_tensor, size_of
from weightbridge.formats.wire import Buffer

TRAINING = frozenset({
    "is_train", "is_training", "keras_learning_phase", "phase_train", "train_phase", "training",
})  # fmt: skip
HANDING_ON = frozenset({*PASSING, "PlaceholderWithDefault", "LogicalNot", "Switch"})  # what decides
BOOLEAN = 10  # TensorFlow's type
DEEPEST = 16  # copies behind each other
Operations = Mapping[str, Operation]


@dataclass(frozen=True, slots=True)
class Decided:
    """graph: without what never runs. assumed: placeholders that were taken for False: no training."""

    graph: GraphDef
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Parting:
    """chosen: by the name of a Switch, which of its outputs it gives. deciding: what that follows from."""

    operations: Operations
    chosen: Mapping[str, bool]
    deciding: frozenset[str]

    @property
    def closed(self) -> list[str]:
        """The outputs that give nothing."""
        return [output(name, 0 if is_true else 1) for name, is_true in self.chosen.items()]


def without_switches(graph: GraphDef, data: Buffer, path: Path) -> Decided:
    """A Switch by anything that is computed stays."""
    operations = {operation.name: operation for operation in graph.operations}
    chains = _chains(operations)
    decisions = {name: _decision(chain, data, path) for name, chain in chains.items()}
    chosen = {name: known for name, known in decisions.items() if known is not None}
    deciding = frozenset(operation.name for name in chosen for operation in chains[name])
    return _decided(graph, _Parting(operations, chosen, deciding)) if chosen else Decided(graph)


def _chains(operations: Operations) -> dict[str, list[Operation]]:
    """By the name of a Switch: what decides it."""
    switches = (o for o in operations.values() if is_kind(o, "Switch") and len(o.inputs) == 2)
    return {switch.name: _chain(plain_value(switch.inputs[1]), operations) for switch in switches}


def _chain(value: str, operations: Operations) -> list[Operation]:
    """What a value is handed on by, the last first, down to what makes it."""
    found: list[Operation] = []
    while len(found) < DEEPEST:
        operation = operations.get(operation_of(value))
        found += [] if operation is None else [operation]
        if operation is None or operation.op not in HANDING_ON or not operation.inputs:
            break
        value = plain_value(operation.inputs[0])
    return found


def _decision(chain: list[Operation], data: Buffer, path: Path) -> bool | None:
    if not chain or chain[-1].op in HANDING_ON:
        return None
    is_negated = sum(operation.op == "LogicalNot" for operation in chain) % 2 == 1
    if _is_training(chain[-1], data):
        return is_negated
    span = constant_span(data, chain[-1])
    constant = None if span is None else Constant(chain[-1].name, span)
    if constant is None or size_of(data, constant) > 1:
        return None
    return bool(constant_tensor(path, data, constant, "").load().all()) ^ is_negated


def _is_training(operation: Operation, data: Buffer) -> bool:
    is_flag = Attributes(data, operation.attributes).integer("dtype") == BOOLEAN
    return operation.op == "Placeholder" and is_flag and operation.name.rpartition("/")[2] in TRAINING


def _decided(graph: GraphDef, parting: _Parting) -> Decided:
    dead = _dead(parting)
    same = dict(_parted(parting)) | dict(_merged(parting, dead))
    left = [_reading(o, same) for o in graph.operations if o.name not in dead and o.name not in same]
    deciding = parting.deciding | _pivots(parting, left)
    read = {operation_of(value) for o in left if o.name not in deciding for value in o.inputs}
    kept = tuple(o for o in left if o.name not in deciding or o.name in read)
    return Decided(replace(graph, operations=kept), _placeholders(parting))


def _reading(operation: Operation, same: Mapping[str, str]) -> Operation:
    return replace(operation, inputs=tuple(_source(plain_value(v), same) for v in operation.inputs))


def _placeholders(parting: _Parting) -> tuple[str, ...]:
    return tuple(
        name for name, o in parting.operations.items() if name in parting.deciding and o.op == "Placeholder"
    )


def _dead(parting: _Parting) -> set[str]:
    """The operations that wait for what a Switch does not give."""
    readers = readers_of(parting.operations.values(), str)
    waited = _waited(parting.operations.values())
    waiting, values, found = parting.closed, set(parting.closed), set[str]()
    while waiting:
        value = waiting.pop()
        behind = [*readers.get(value, ()), *waited.get(value, ())]
        dying = {o.name for o in behind if _dies(o, values)} - found
        found |= dying
        more = {v for name in dying for v in _values(name, readers)} - values
        values |= more
        waiting += more
    return found


def _waited(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    """Who has to run behind an operation that gives nothing: copies of a Switch, that branches wait for."""
    waited: dict[str, list[Operation]] = {}
    for operation in operations:
        for name in operation.controls:
            waited.setdefault(name, []).append(operation)
    return waited


def _dies(operation: Operation, values: Set[str]) -> bool:
    """A Merge lives as long as one of its inputs does."""
    is_merge = is_kind(operation, "Merge")
    return not is_merge or all(plain_value(value) in values for value in operation.inputs)


def _values(name: str, readers: Mapping[str, object]) -> Iterator[str]:
    """The outputs of an operation that anything reads, and the first."""
    yield name
    place = 1
    while output(name, place) in readers:
        yield output(name, place)
        place += 1


def _parted(parting: _Parting) -> Iterator[tuple[str, str]]:
    """By the output of a Switch: what it hands on."""
    for name, is_true in parting.chosen.items():
        data = plain_value(parting.operations[name].inputs[0])
        yield name, data
        yield output(name, int(is_true)), data


def _merged(parting: _Parting, dead: Set[str]) -> Iterator[tuple[str, str]]:
    """By a Merge: the one of its inputs that lives."""
    for operation in parting.operations.values():
        if is_kind(operation, "Merge") and operation.name not in dead:
            alive = _alive(operation, {*parting.closed}, dead)
            yield from [(operation.name, alive[0])] if len(alive) == 1 else []


def _alive(merge: Operation, closed: Set[str], dead: Set[str]) -> list[str]:
    values = map(plain_value, merge.inputs)
    return [value for value in values if value not in closed and operation_of(value) not in dead]


def _source(value: str, same: Mapping[str, str]) -> str:
    seen = {value}
    while value in same and same[value] not in seen:
        value = same[value]
        seen.add(value)
    return value


def _pivots(parting: _Parting, operations: Iterable[Operation]) -> set[str]:
    """Copies of what decides, which branches wait for."""
    copies = (o for o in operations if o.op in PASSING and o.inputs)
    return {o.name for o in copies if operation_of(o.inputs[0]) in parting.deciding}
