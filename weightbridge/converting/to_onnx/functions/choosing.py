"""where(condition, a, b): a value or a constant on either side."""

from typing import Any

import numpy as np

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Call
from weightbridge.converting.to_onnx.elements import cast, spread
from weightbridge.converting.to_onnx.functions.operands import Operand, operands
from weightbridge.converting.to_onnx.values import Value, straight

KINDS = {"f": "float32", "i": "int32", "u": "int32", "b": "bool"}


def chosen(call: Call) -> Value:
    found = [as_keras(call.writer, v) if isinstance(v, Value) else np.asarray(v) for v in operands(call)]
    if len(found) != 3 or not isinstance(found[0], Value):
        raise call.refused("chooses by a constant")
    condition, sides = found[0], found[1:]
    if condition.dtype != "bool":
        condition = cast(call.writer, condition, "bool")
    dtype = _dtype(call, sides)
    names = [_name(call, side, dtype) for side in sides]
    shape = spread([condition.shape, *(side.shape for side in sides)])
    mask = next((side.mask for side in sides if isinstance(side, Value)), None)
    return Value(call.writer.op("Where", condition.name, *names), shape, straight(len(shape)), dtype, mask)


def _dtype(call: Call, sides: list[Any]) -> str:
    """That of the values; of constants alone what Keras makes of such numbers."""
    of_values = {side.dtype for side in sides if isinstance(side, Value)}
    if len(of_values) > 1:
        raise call.refused(f"chooses between {' and '.join(sorted(of_values))}")
    kinds = {KINDS.get(side.dtype.kind, "") for side in sides if not isinstance(side, Value)}
    if "" in kinds:
        raise call.refused("has a constant that is no number")
    if of_values:
        return str(of_values.pop())
    return "float32" if "float32" in kinds else max(kinds)


def _name(call: Call, side: Operand, dtype: str) -> str:
    if isinstance(side, Value):
        return side.name
    return str(call.writer.constant("chosen", side, dtype))
