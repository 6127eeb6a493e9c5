"""The two biases of a GRU with reset_after: two rows of one tensor in Keras, two tensors where an exporter wrote the cell out."""

from typing import Any

from weightbridge.matching.units import Unit
from weightbridge.tensors import Tensor

ROWS = ("bias", "recurrent_bias")
Rows = tuple[tuple[str, ...], str, dict[str, Any]]


def bias_rows(source: Unit, target: Unit, role: str, wanted: Tensor) -> Rows | None:
    """The source's tensors, the transform and its parameters; None where both sides keep these biases alike."""
    one, other = (tuple(unit.roles[r] for r in ROWS if r in unit.roles) for unit in (source, target))
    if role not in ROWS or {source.layer.op, target.layer.op} != {"GRU"}:
        return None
    if len(one) == 2 and len(other) == 1 and wanted.shape == (2, *one[0].shape) and one[0].shape == one[1].shape:
        return tuple(t.name for t in one), "gate-bias", {"order": [0, 1, 2], "join": "stack"}
    if len(one) == 1 and len(other) == 2 and one[0].shape == (2, *wanted.shape):
        return (one[0].name,), "select", {"index": ROWS.index(role), "inner": "", "parameters": {}}
    return None
