"""Operators that torch's TorchScript exporter does not know, in terms of those that it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.onnx import register_custom_op_symbolic, symbolic_helper, unregister_custom_op_symbolic

END = torch.iinfo(torch.int64).max
OLDEST = 9  # the opset from which they are known


@contextmanager
def more_operators() -> Iterator[None]:
    """Known for a while."""
    for name, write in OPERATORS.items():
        register_custom_op_symbolic(name, write, OLDEST)
    try:
        yield
    finally:
        for name in OPERATORS:
            unregister_custom_op_symbolic(name, OLDEST)


def _diff(graph: Any, value: Any, count: Any, axis: Any, before: Any = None, behind: Any = None) -> Any:
    """torch.diff: each element less the one before it, once."""
    if symbolic_helper._get_const(count, "i", "n") != 1:
        return symbolic_helper._unimplemented("diff", "more than once", value)
    place = symbolic_helper._get_const(axis, "i", "dim")
    parts = [one for one in (before, value, behind) if one is not None and not symbolic_helper._is_none(one)]
    whole = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis_i=place)
    later = symbolic_helper._slice_helper(graph, whole, axes=[place], starts=[1], ends=[END])
    earlier = symbolic_helper._slice_helper(graph, whole, axes=[place], starts=[0], ends=[-1])
    return graph.op("Sub", later, earlier)


OPERATORS = {"aten::diff": _diff}
