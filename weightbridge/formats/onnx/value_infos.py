"""ONNX's ValueInfo: a value's name, element type and shape."""

from weightbridge.formats.onnx.messages import as_span, collect, last, number_of
from weightbridge.formats.onnx.proto import ValueInfo
from weightbridge.formats.wire import LENGTH, Buffer, Span, fields, signed, text


def value_info(data: Buffer, span: Span) -> ValueInfo:
    found = collect(data, span, {1: text, 2: as_span})
    name = last(found[1], "")
    for type_span in found[2]:
        for tensor_span in collect(data, type_span, {1: as_span})[1]:
            tensor = collect(data, tensor_span, {1: number_of, 2: as_span})
            shape = _shape(data, tensor[2][-1]) if tensor[2] else None
            return ValueInfo(name, last(tensor[1], 0), shape)
    return ValueInfo(name, 0, None)


def _shape(data: Buffer, span: Span) -> tuple[int | None, ...]:
    dimensions = collect(data, span, {1: as_span})[1]
    return tuple(_dimension(data, dimension) for dimension in dimensions)


def _dimension(data: Buffer, span: Span) -> int | None:
    value: int | None = None
    for field in fields(data, span):
        if field.number == 1 and field.wire != LENGTH:
            value = signed(field.value)
    return value if value is not None and value > 0 else None
