"""The two biases of a recurrent layer.

Two tensors in torch and in cells that an exporter wrote out, one in Keras (two rows of a GRU's).
"""

from typing import Any

from weightbridge.matching.units.units import Unit
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

ROWS = ("bias", "recurrent_bias")
GATES = {"LSTM": 4, "RNN": 1}  # layers that add both biases up; torch and Keras keep their gates in one order
TORCH_GRU, SAME = [1, 0, 2], [0, 1, 2]  # gates r z n in torch, z r n in Keras
Rows = tuple[tuple[str, ...], str, dict[str, Any]]


def bias_rows(source: Unit, target: Unit, role: str, wanted: Tensor) -> Rows | None:
    """The source's tensors, transform and parameters; None where both sides keep these biases alike."""
    rows, others = _biases(source), _biases(target)
    if role not in ROWS or source.layer.op != target.layer.op or {len(rows), len(others)} != {1, 2}:
        return None
    if len({row.shape for row in rows}) > 1:
        return None
    if source.layer.op == "GRU" and len(rows) == 1:
        return _apart(rows[0], role, wanted, source, target)
    if source.layer.op == "GRU":
        return _joined(rows, wanted, _order(source.layer, target.layer))
    if source.layer.op not in GATES or "torch" not in (_writer(source.layer), _writer(target.layer)):
        return None
    return _added(rows, role, wanted, GATES[source.layer.op])


def _biases(unit: Unit) -> tuple[Tensor, ...]:
    return tuple(unit.roles[role] for role in ROWS if role in unit.roles)


def _joined(given: tuple[Tensor, ...], wanted: Tensor, order: list[int]) -> Rows | None:
    if wanted.shape != (2, *given[0].shape):
        return None
    return tuple(t.name for t in given), "gate-bias", {"order": order, "join": "stack"}


def _apart(given: Tensor, role: str, wanted: Tensor, source: Unit, target: Unit) -> Rows | None:
    if given.shape != (2, *wanted.shape):
        return None
    order = _order(source.layer, target.layer)
    index = ROWS.index(role)
    if order == SAME:
        return (given.name,), "select", {"index": index, "inner": "", "parameters": {}}
    gates = {"axis": 0, "order": order}
    return (given.name,), "select", {"index": index, "inner": "gates", "parameters": gates}


def _added(given: tuple[Tensor, ...], role: str, wanted: Tensor, gates: int) -> Rows | None:
    """The sum of both; the other way round all in the first, and zeros in the second."""
    if given[0].shape != wanted.shape:
        return None
    if len(given) == 2:
        return tuple(t.name for t in given), "gate-bias", {"order": list(range(gates)), "join": "sum"}
    if role == "bias":
        return (given[0].name,), "", {}
    return (), "constant", {"shape": list(wanted.shape), "value": 0.0}


def _order(source: Layer, target: Layer) -> list[int]:
    return TORCH_GRU if (_writer(source) == "torch") != (_writer(target) == "torch") else SAME


def _writer(layer: Layer) -> object:
    return layer.attributes.get("weights")
