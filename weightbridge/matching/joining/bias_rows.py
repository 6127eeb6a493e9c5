"""The two biases of a recurrent layer: two tensors in torch and in cells that an exporter wrote out, one in
Keras (two rows of a GRU's).
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
    """The source's tensors, the transform and its parameters; None where both sides keep these biases alike."""
    one, other = (tuple(unit.roles[r] for r in ROWS if r in unit.roles) for unit in (source, target))
    if role not in ROWS or source.layer.op != target.layer.op or {len(one), len(other)} != {1, 2}:
        return None
    if len(one) == 2 and one[0].shape != one[1].shape:
        return None
    if source.layer.op == "GRU":
        return (
            _joined(one, wanted, _order(source.layer, target.layer))
            if len(one) == 2
            else _apart(one[0], role, wanted, source, target)
        )
    if source.layer.op not in GATES or "torch" not in (_writer(source.layer), _writer(target.layer)):
        return None
    return _added(one, role, wanted, GATES[source.layer.op])


def _joined(given: tuple[Tensor, ...], wanted: Tensor, order: list[int]) -> Rows | None:
    fits = wanted.shape == (2, *given[0].shape)
    return (tuple(t.name for t in given), "gate-bias", {"order": order, "join": "stack"}) if fits else None


def _apart(given: Tensor, role: str, wanted: Tensor, source: Unit, target: Unit) -> Rows | None:
    if given.shape != (2, *wanted.shape):
        return None
    order = _order(source.layer, target.layer)
    inner = ("", {}) if order == SAME else ("gates", {"axis": 0, "order": order})
    return (given.name,), "select", {"index": ROWS.index(role), "inner": inner[0], "parameters": inner[1]}


def _added(given: tuple[Tensor, ...], role: str, wanted: Tensor, gates: int) -> Rows | None:
    """The sum of both; the other way round all in the first, and zeros in the second."""
    if given[0].shape != wanted.shape:
        return None
    if len(given) == 2:
        return tuple(t.name for t in given), "gate-bias", {"order": list(range(gates)), "join": "sum"}
    return (
        ((given[0].name,), "", {})
        if role == "bias"
        else ((), "constant", {"shape": list(wanted.shape), "value": 0.0})
    )


def _order(source: Layer, target: Layer) -> list[int]:
    return TORCH_GRU if (_writer(source) == "torch") != (_writer(target) == "torch") else SAME


def _writer(layer: Layer) -> object:
    return layer.attributes.get("weights")
