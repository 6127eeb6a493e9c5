"""A graph whose functions are written out in the place of their calls, within bounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.crowds import MOST
from weightbridge.formats.tensorflow.graphs.messages import Attributes, Function, GraphDef, Operation
from weightbridge.formats.wire import Buffer

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
PASSING = frozenset(
    {"Identity", "StopGradient", "CheckNumerics", "PreventGradient", "EnsureShape", "Snapshot"}
)
ALL_PASSING = (
    "IdentityN"  # each output is an input: what functions with gradients of their own are wrapped in
)
DEPTH = 64  # calls inside each other
NORM = {"y": 0, "batch_mean": 1, "batch_variance": 2, "reserve_space_1": 3, "reserve_space_2": 4}
OUTPUTS: Mapping[str, Mapping[str, int]] = {  # operations with several outputs of different names
    "FusedBatchNorm": NORM,
    "FusedBatchNormV2": NORM,
    "FusedBatchNormV3": NORM,
    "TopKV2": {"values": 0, "indices": 1},
    "SoftmaxCrossEntropyWithLogits": {"loss": 0, "backprop": 1},
    "RestoreV2": {"tensors": 0},
}


def output(name: str, place: int) -> str:
    """A value's name: that of its operation, with the number of every output but the first."""
    return f"{name}:{place}" if place else name


def operation_of(value: str) -> str:
    """The name of the operation that makes a value, without the number of its output."""
    return value.partition(":")[0]


def plain_value(value: str) -> str:
    """`a:0` is `a`."""
    name, _, place = value.partition(":")
    return output(name, int(place)) if place.isdigit() else name


@dataclass
class Flat:
    """operations: with inputs that are values of this list. aliases: values that are others.

    functions: those that loops run, which are not written out.
    """

    operations: list[Operation] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> dict[str, Operation]:
        return {operation.name: operation for operation in self.operations}

    def source(self, value: str) -> str:
        """The value itself, behind what only passes it on."""
        seen: set[str] = set()
        while value in self.aliases and value not in seen:
            seen.add(value)
            value = self.aliases[value]
        return value


def inlined(graph: GraphDef, data: Buffer) -> Flat:
    """Every call of the graph written out; the operations inside keep their names where these are free."""
    return _Inlining(graph, data).whole()


class _Inlining:
    def __init__(self, graph: GraphDef, data: Buffer) -> None:
        self.graph, self.data = graph, data
        self.flat = Flat(functions=graph.functions)
        self.taken = {operation.name for operation in graph.operations}

    def whole(self) -> Flat:
        for operation in self.graph.operations:
            self._add(operation, operation.name, tuple(map(plain_value, operation.inputs)), ())
        return self.flat

    def _add(self, operation: Operation, name: str, inputs: tuple[str, ...], above: tuple[str, ...]) -> None:
        """above: the functions around it."""
        called = self._called(operation)
        if called is not None:
            self._call(called, name, inputs, above)
            return
        if len(self.flat.operations) >= MOST:
            raise ResourceBomb(f"its functions expand to more than {MOST} operations")
        if operation.op in PASSING and inputs:
            self.flat.aliases[name] = inputs[0]
        if operation.op == ALL_PASSING:
            self.flat.aliases.update({output(name, place): value for place, value in enumerate(inputs)})
        self.flat.operations.append(replace(operation, name=name, inputs=inputs))

    def _called(self, operation: Operation) -> Function | None:
        if operation.op not in CALLS and operation.op not in self.graph.functions:
            return None
        name = Attributes(self.data, operation.attributes).function("f") or operation.op
        return self.graph.functions.get(name)

    def _call(self, function: Function, name: str, inputs: tuple[str, ...], above: tuple[str, ...]) -> None:
        if function.name in above:
            raise Corrupt(f"function {function.name!r} calls itself")
        if len(above) >= DEPTH:
            raise ResourceBomb(f"more than {DEPTH} calls inside each other")
        if len(inputs) < len(function.arguments):
            raise Corrupt(f"function {function.name!r} is called with {len(inputs)} arguments")
        names = {operation.name: self._free(operation.name, name) for operation in function.operations}
        resolve = _resolver(function, names, inputs)
        for operation in function.operations:
            values = tuple(resolve(value) for value in operation.inputs)
            self._add(operation, names[operation.name], values, (*above, function.name))
        for place, result in enumerate(function.results):
            self.flat.aliases[output(name, place)] = resolve(result)

    def _free(self, name: str, call: str) -> str:
        """The operation's own name, with that of the call before it where it is taken."""
        unique = name
        while unique in self.taken:
            unique = f"{call}/{unique}"
            if len(unique) > 4096:
                raise ResourceBomb("names of operations inside calls grow without end")
        self.taken.add(unique)
        return unique


def _resolver(function: Function, names: Mapping[str, str], inputs: Sequence[str]) -> Callable[[str], str]:
    """What turns a function's own names of values into the graph's: `a`, `conv:output:0`."""
    arguments = dict(zip(function.arguments, inputs, strict=False))
    ops = {operation.name: operation.op for operation in function.operations}

    def resolve(value: str) -> str:
        if value in arguments:
            return arguments[value]
        name, _, rest = value.partition(":")
        if name not in names:
            raise Corrupt(f"function {function.name!r} reads {value!r}, which nothing in it makes")
        port, _, place = rest.rpartition(":")
        first = OUTPUTS.get(ops[name], {}).get(port, 0)
        return output(names[name], first + (int(place) if place.isdigit() else 0))

    return resolve
