"""TensorFlow's element types (types.proto) as ONNX counts them."""

from collections.abc import Mapping

TYPES: Mapping[int, int] = {
    1: 1, 2: 11, 3: 6, 4: 2, 5: 5, 6: 3, 7: 8, 8: 14, 9: 7, 10: 9, 14: 16, 17: 4, 18: 15, 19: 10, 22: 12,
    23: 13,
}  # fmt: skip
NUMBERS: Mapping[str, int] = {  # by numpy's names
    "float32": 1, "float64": 11, "int32": 6, "uint8": 2, "int16": 5, "int8": 3, "complex64": 14, "int64": 7,
    "bool": 9, "bfloat16": 16, "uint16": 4, "complex128": 15, "float16": 10, "uint32": 12, "uint64": 13,
}  # fmt: skip
