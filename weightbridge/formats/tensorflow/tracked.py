"""TensorFlow's object graphs: objects, what they hold by which name, which variables are weights.

The message is trackable_object_graph.proto.
"""

from collections.abc import Iterator, Sequence
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
STATE = frozenset(
    {
        "keras_api",
        "save_counter",
        "metrics",
        "_metrics",
        "compiled_metrics",
        "_compile_metrics",
        "_compile_loss",
    }
)
STATE |= {"loss_tracker", "_loss_tracker", "_all_variables", "_loss_scale", "loss_scale"}
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
        names, way = [], self.way
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
    nodes = tuple(_tracked(data, span_of(f)) for f in fields(data, Span(0, len(data))) if f.number == 1)
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


def reached(nodes: Sequence[Tracked]) -> list[Reached]:
    """Every object once, depth first, those of the model before what an optimizer or a metric holds.

    Raises ResourceBomb.
    """
    waiting: list[list[tuple[int, Way | None]]] = [[(0, None)] if nodes else [], *([] for _ in REASONS[1:])]
    seen: set[int] = set()
    found = []
    for phase, stack in enumerate(waiting):
        stack.reverse()
        while stack:
            number, way = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            found.append(Reached(number, way, REASONS[phase]))
            length = way.length + 1 if way else 1
            if length > MAX_DEPTH:
                raise ResourceBomb(f"objects nested more than {MAX_DEPTH} deep")
            held = [
                (max(phase, _phase(nodes, name, child)), child, Way(name, way, length))
                for name, child in nodes[number].children
            ]
            stack.extend(
                (child, step) for at, child, step in reversed(held) if at == phase and child not in seen
            )
            for at, child, step in held:
                if at > phase and child not in seen:
                    waiting[at].append((child, step))
    return found


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
    return bool(names & STEPS and names & RATES)


def _tracked(data: Buffer, span: Span) -> Tracked:
    if span.start == span.end:
        return EMPTY
    children, has_slots, name, key = [], False, "", ""
    for field in fields(data, span):
        if field.number == 1:
            children.append(parse_child(data, span_of(field)))
        elif field.number == 2:
            found = {f.number: text(data, f) for f in fields(data, span_of(field)) if f.number in (1, 2, 3)}
            name, key = (found.get(2, ""), found.get(3, "")) if found.get(1) == VALUE else (name, key)
        elif field.number == 3:
            has_slots = True
    return Tracked(tuple(children), has_slots or looks_like_optimizer(children), name, key)
