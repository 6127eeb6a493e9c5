"""Fields of a protobuf message by their numbers: what all readers of ONNX's messages share."""

from collections.abc import Callable, Mapping
from typing import Any

from weightbridge.formats.wire import Buffer, Field, Span, fields, signed, span_of


def collect(
    data: Buffer, span: Span, wanted: Mapping[int, Callable[[Buffer, Field], Any]]
) -> dict[int, list[Any]]:
    """The values of the wanted fields, all others skipped."""
    found: dict[int, list[Any]] = {number: [] for number in wanted}
    for field in fields(data, span):
        if field.number in found:
            found[field.number].append(wanted[field.number](data, field))
    return found


def number_of(_: Buffer, field: Field) -> int:
    return signed(field.value)


def as_span(_: Buffer, field: Field) -> Span:
    return span_of(field)


def last(values: list[Any], default: Any) -> Any:
    """Of a field that occurs several times the last one counts, as in protobuf."""
    return values[-1] if values else default
