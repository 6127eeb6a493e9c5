"""A module of a state dict, and what the rest of the file tells about it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]  # by the last parts of the tensors' names
GATES = {1: ("RNN", "h"), 3: ("GRU", "r z n"), 4: ("LSTM", "i f g o")}


class Module(NamedTuple):
    """An operation, its attributes, and the roles of the parts."""

    op: str
    attributes: dict[str, Any]
    roles: dict[str, str]


class Known(NamedTuple):
    """What the rest of the file tells.

    width: channels of the layer before; is_turned: whether square matrices are (out, in).
    """

    width: int
    is_turned: bool


def stores_turned(groups: Sequence[Shapes]) -> bool:
    """The majority of the matrices that tell; one program writes all of a file's the same way."""
    told = []
    for group in groups:
        weight = group.get("weight", ())
        answer = is_turned(weight, group.get("bias")) if len(weight) == 2 else None
        if answer is not None:
            told.append(answer)
    return sum(told) * 2 >= len(told)


def is_turned(weight: Shape, bias: Shape | None) -> bool | None:
    """Whether a matrix is (out, in); None where its bias does not tell."""
    rows, columns = weight
    fits_rows = bias == (rows,)
    fits_columns = bias == (columns,)
    return None if fits_rows == fits_columns else fits_rows


def gates_of(units: int, gate_units: int) -> tuple[str, str]:
    """The operation and the order of gates of a recurrent kernel; Opaque where it has no gates."""
    if not units or gate_units % units:
        return "Opaque", ""
    return GATES.get(gate_units // units, ("Opaque", ""))
