"""A record is what dataclasses.dataclass makes of a frozen class with slots, in all that is used of it."""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from functools import cached_property
from typing import Any

import pytest

from weightbridge.boundary import records


def _classes(make: Callable[..., Any]) -> tuple[type, type]:
    @make(frozen=True, slots=True)
    class Point:
        """A point."""

        x: int
        y: tuple[int, ...] = ()
        notes: dict[str, int] = field(default_factory=dict, compare=False)
        length: int = field(init=False, default=0)
        hidden: str = field(default="h", repr=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "length", len(self.y))

    @make(frozen=True, slots=True, eq=False)
    class Alone:
        only: int

        def __repr__(self) -> str:
            return "own"

    return Point, Alone


STANDARD, OURS = _classes(dataclasses.dataclass), _classes(records.dataclass)


@records.dataclass(frozen=True, slots=True)
class One:
    value: Any


@pytest.mark.parametrize(
    "asked",
    [
        lambda point, _: repr(point(1, (2, 3))).rpartition(".")[2],
        lambda point, _: [getattr(point(1, (2,)), f.name) for f in fields(point)],
        lambda point, _: point(1) == point(1) and point(1) != point(2) and point(1) != (1, (), 0, "h"),
        lambda point, _: point(1, notes={"a": 1}) == point(1, notes={"b": 2}),
        lambda point, _: hash(point(1, (2,))) == hash(point(1, (2,))),
        lambda point, _: replace(point(1), y=(5, 6)).length,
        lambda point, _: dataclasses.asdict(point(1, (2,), {"n": 3})),
        lambda point, _: (point.__match_args__, point.__slots__, point.__doc__),
        lambda point, _: str(inspect.signature(point)).replace("=<factory>", "").replace("=MISSING", "")[:20],
        lambda point, _: point(1).notes is not point(1).notes,
        lambda point, _: copy.deepcopy(point(1, (2,), {"n": 3})).notes,
        lambda _, alone: (repr(alone(1)), alone(1) == alone(1), alone(2).only),
    ],
)  # fmt: skip
def test_a_record_is_as_the_standard_librarys(asked: Callable[[type, type], Any]) -> None:
    assert asked(*OURS) == asked(*STANDARD)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda one: setattr(one, "value", 2), FrozenInstanceError),
        (lambda one: setattr(one, "other", 2), FrozenInstanceError),
        (lambda one: delattr(one, "value"), FrozenInstanceError),
        (lambda one: hash(replace(one, value=[])), TypeError),
        (lambda _: One(), TypeError),
        (lambda _: One(1, 2), TypeError),
    ],
)
def test_a_record_stays_as_it_is(fault: Callable[[One], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        fault(One(1))


def test_a_record_of_one_field_is_compared_copied_and_pickled() -> None:
    assert {One((1,)), One((1,))} == {One((1,))}
    assert pickle.loads(pickle.dumps(One("a"))) == copy.copy(One("a")) == One("a")


def test_no_signature_is_read_for_a_class_that_says_nothing_of_itself() -> None:
    assert One.__doc__ == "One(value)"


def test_a_record_without_slots_keeps_what_it_has_computed() -> None:
    @records.dataclass(frozen=True)
    class Grown:
        value: int

        @cached_property
        def twice(self) -> int:
            return 2 * self.value

    one = Grown(3)
    assert (one.twice, vars(one), one == Grown(3)) == (6, {"value": 3, "twice": 6}, True)
    assert copy.copy(one).value == 3
    with pytest.raises(FrozenInstanceError):
        one.value = 4  # type: ignore[misc]


def test_what_may_change_is_the_standard_librarys() -> None:
    @records.dataclass
    class Open:
        values: list[int] = field(default_factory=list)

    one = Open()
    one.values = [1]
    assert one == Open([1])
    assert Open.__hash__ is None
