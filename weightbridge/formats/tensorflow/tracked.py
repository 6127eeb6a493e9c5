"""TensorFlow's object graphs: objects, what they hold by which name, which variables are weights.

The message is trackable_object_graph.proto.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.wire import Buffer, Span, fields, span_of, text
from weightbridge.model.graph import Reason

MAX_DEPTH = 200
VALUE = "VARIABLE_VALUE"
OPTIMIZERS = frozenset({"optimizer", "_optimizer"})
STEPS = frozenset({"iter", "iterations", "_iterations"})
RATES = frozenset({"learning_rate", "_learning_rate"})
LISTS = frozenset(  # what Keras keeps beside the attributes that hold the same variables
    f"{mark}{kind}{what}"
    for mark in ("", "_")
    for kind in ("", "trainable_", "non_trainable_")
    for what in ("variables", "weights")
)
METRICS = frozenset(
    {"metrics", "_metrics", "compiled_metrics", "_compile_metrics", "loss_tracker", "_loss_tracker"}
)
STATE = METRICS | {
    "keras_api",
    "save_counter",
    "_compile_loss",
    "_all_variables",
    "_loss_scale",
    "loss_scale",
}
MODEL, LIST, STATES, OPTIMIZER = range(4)  # what is reached first says what a variable is
REASONS: tuple[Reason | None, ...] = (None, None, "state", "optimizer")


@dataclass(frozen=True, slots=True)
class Tracked:
    """One object.

    children: (name, object's number); key: where a variable's value lies.
    A SavedModel alone tells is_variable, identifier and metadata, which is Keras's own JSON.
    """

    children: tuple[tuple[str, int], ...] = ()
    is_optimizer: bool = False
    full_name: str = ""
    key: str = ""
    is_variable: bool = False
    identifier: str = ""
    metadata: str = ""
    trainable: bool = True


class Reached(NamedTuple):
    """An object, the way on which it is reached, and why it is no weight (None: it is one)."""

    number: int
    way: "Way | None"
    reason: Reason | None

    @property
    def path(self) -> tuple[str, ...]:
        """The names on the way to it."""
        names = []
        way = self.way
        while way is not None:
            names.append(way.name)
            way = way.before
        return tuple(reversed(names))


class Way(NamedTuple):
    """A step on a way, with the steps before it, which many ways share."""

    name: str
    before: "Way | None"
    length: int


EMPTY = Tracked()


def parse_tracked(data: Buffer) -> tuple[Tracked, ...]:
    """The objects of a TrackableObjectGraph; the first is the root. Raises Corrupt."""
    whole = Span(0, len(data))
    spans = [span_of(field) for field in fields(data, whole) if field.number == 1]
    nodes = tuple(_tracked(data, span) for span in spans)
    check_children(nodes)
    return nodes


def check_children(nodes: Sequence[Tracked]) -> None:
    """Every child must be there."""
    for number, node in enumerate(nodes):
        for name, child in node.children:
            if child >= len(nodes):
                raise Corrupt(f"object {number} holds as {name!r} the object {child} of {len(nodes)}")


def parse_child(data: Buffer, span: Span) -> tuple[str, int]:
    """An ObjectReference: what a child is called, and its number."""
    name, number = "", 0
    for field in fields(data, span):
        if field.number == 1:
            number = field.value
        elif field.number == 2:
            name = text(data, field)
    return name, number


class Step(NamedTuple):
    """An object that waits, the way to it, and when its turn is: MODEL first, OPTIMIZER last."""

    number: int
    way: Way | None
    phase: int


def reached(nodes: Sequence[Tracked]) -> list[Reached]:
    """Every object once, depth first, those of the model before what an optimizer or a metric holds.

    Raises ResourceBomb.
    """
    waiting: list[list[Step]] = [[] for _ in REASONS]
    if nodes:
        waiting[MODEL].append(Step(0, None, MODEL))
    seen: set[int] = set()
    objects = []
    for phase, stack in enumerate(waiting):
        stack.reverse()
        while stack:
            step = stack.pop()
            if step.number in seen:
                continue
            seen.add(step.number)
            objects.append(Reached(step.number, step.way, REASONS[phase]))
            _queue(waiting, phase, _next_steps(nodes, step, seen))
    return objects


def _next_steps(nodes: Sequence[Tracked], step: Step, seen: Container[int]) -> list[Step]:
    """What an object holds and no way has reached before."""
    length = step.way.length + 1 if step.way else 1
    if length > MAX_DEPTH:
        raise ResourceBomb(f"objects nested more than {MAX_DEPTH} deep")
    return [
        Step(child, Way(name, step.way, length), _phase(nodes, name, child))
        for name, child in nodes[step.number].children
        if child not in seen
    ]


def _queue(waiting: list[list[Step]], phase: int, steps: Sequence[Step]) -> None:
    """Steps of this phase come next; those of a later one wait for it."""
    waiting[phase].extend(step for step in reversed(steps) if step.phase <= phase)
    for step in steps:
        if step.phase > phase:
            waiting[step.phase].append(step)


def below(nodes: Sequence[Tracked], number: int) -> Iterator[tuple[str, int]]:
    """What an object holds as part of the model: no optimizer, no metrics, no second lists of the same."""
    for name, child in nodes[number].children:
        if _phase(nodes, name, child) == MODEL:
            yield name, child


def _phase(nodes: Sequence[Tracked], name: str, child: int) -> int:
    if name in OPTIMIZERS or nodes[child].is_optimizer:
        return OPTIMIZER
    if name in STATE or "seed_generator" in name:
        return STATES
    return LIST if name in LISTS else MODEL


def looks_like_optimizer(children: Sequence[tuple[str, int]]) -> bool:
    """Whether an object holds a count of steps and a learning rate."""
    names = {name for name, _ in children}
    has_steps = not names.isdisjoint(STEPS)
    has_rate = not names.isdisjoint(RATES)
    return has_steps and has_rate


def _tracked(data: Buffer, span: Span) -> Tracked:
    if span.start == span.end:
        return EMPTY
    children = []
    has_slots = False
    full_name, key = "", ""
    for field in fields(data, span):
        if field.number == 1:
            children.append(parse_child(data, span_of(field)))
        elif field.number == 2:
            attribute = _attribute(data, span_of(field))
            if attribute.get(1) == VALUE:
                full_name, key = attribute.get(2, ""), attribute.get(3, "")
        elif field.number == 3:
            has_slots = True
    is_optimizer = has_slots or looks_like_optimizer(children)
    return Tracked(tuple(children), is_optimizer, full_name, key)


def _attribute(data: Buffer, span: Span) -> dict[int, str]:
    """A SerializedTensor: 1 is what it holds, 2 the variable's full name, 3 the key of its value."""
    attribute = {}
    for field in fields(data, span):
        if field.number in (1, 2, 3):
            attribute[field.number] = text(data, field)
    return attribute
