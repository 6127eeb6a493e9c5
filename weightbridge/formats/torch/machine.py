"""The inert machine that a pickle runs on: a stack, marks and a memo of plain values."""

from dataclasses import dataclass, field
from typing import Any

from weightbridge.formats.torch.values import Storage

STEP, PAIR, SLOT = 32, 64, 8  # bytes of any opcode, and besides of an entry in a dict, in a list


@dataclass(slots=True)
class Machine:
    """The state of one run: the stack, its marks, the memo, unknown names, and the memory left.

    foreign: classes and functions that are no part of PyTorch, by name -> the byte where it stands.
    refused: what would be called, or must not even be named. called: those of them that are called.
    """

    place: str
    is_script: bool
    left: int
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    storages: dict[str, Storage] = field(default_factory=dict)
    at: int = 0


def spend(machine: Machine, cost: int) -> None:
    """Counts memory, in bytes."""
    machine.left -= cost


def popped_to_mark(machine: Machine) -> list[Any]:
    """What stands above the last mark, taken off the stack."""
    start = machine.marks.pop()
    items = machine.stack[start:]
    del machine.stack[start:]
    spend(machine, 32 + SLOT * len(items))
    return items
