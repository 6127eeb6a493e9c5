"""The bytes of a .tflite file -> its messages, every place in the file checked.

Field numbers are those of TensorFlow's lite/schema/schema.fbs, version 3.
"""

from collections.abc import Iterator, Sequence

from weightbridge.errors import Corrupt, ExternalReference, Unsupported
from weightbridge.formats.crowds import refuse_crowd
from weightbridge.formats.tflite.flatbuffer import Table, root
from weightbridge.formats.tflite.messages import (
    TYPES,
    UNDEFINED,
    Model,
    Operator,
    Quantisation,
    Signature,
    Subgraph,
    Tensor,
)
from weightbridge.formats.tflite.operators import CUSTOM, OPERATORS
from weightbridge.formats.wire import Buffer, Span

BEHIND = 1  # a buffer's offset above this counts from the file's beginning: its bytes lie behind the tables
ABSENT = -1  # a tensor's number where an operator leaves an input out
RUNTIME = "min_runtime_version"
NONE = Span(0, 0)


def parse_model(data: Buffer) -> Model:
    """Raises Corrupt, ResourceBomb, ExternalReference or Unsupported."""
    model = root(data)
    buffers = [_bytes(buffer) for buffer in model.tables(4)]
    names = [_operator_name(code) for code in model.tables(1)]
    return Model(
        version=model.unsigned(0),
        description=model.text(3),
        runtime=_runtime(model, buffers),
        subgraphs=tuple(_subgraph(table, names, buffers) for table in model.tables(2)),
        signatures=tuple(Signature(table.text(2), table.unsigned(4)) for table in model.tables(7)),
    )


def _bytes(buffer: Table) -> Span | None:
    """Where a buffer's bytes are: among the tables, or behind them in a large file."""
    offset, size = buffer.long(1), buffer.long(2)
    if offset > BEHIND:
        buffer.source.check(offset, size)
        return Span(offset, offset + size)
    return buffer.vector(0, 1)


def _operator_name(code: Table) -> tuple[str, bool]:
    """An operator's name, and whether it is a custom one."""
    number = max(code.byte(0), code.integer(3))  # the older field ends at 127
    if number == CUSTOM:
        return code.text(1) or "CUSTOM", True
    if not 0 <= number < len(OPERATORS):
        return f"BUILTIN_{number}", False
    return OPERATORS[number], False


def _runtime(model: Table, buffers: Sequence[Span | None]) -> str:
    """The oldest interpreter that the file says it needs."""
    for metadata in model.tables(6):
        number = metadata.unsigned(1)
        span = buffers[number] if number < len(buffers) else None
        if metadata.text(0) == RUNTIME and span is not None:
            raw = bytes(model.source.data[span.start : min(span.end, span.start + 16)])
            return raw.rstrip(b"\0").decode("ascii", "replace")
    return ""


def _subgraph(table: Table, names: Sequence[tuple[str, bool]], buffers: Sequence[Span | None]) -> Subgraph:
    tensors = tuple(_tensor(tensor, buffers) for tensor in table.tables(0))
    tables = tuple(table.tables(3))
    refuse_crowd(len(tables), "operators")
    operators = tuple(_operator(operator, names) for operator in tables)
    subgraph = Subgraph(table.text(4), tensors, table.integers(1), table.integers(2), operators)
    for number in _numbers(subgraph):
        if not ABSENT <= number < len(tensors):
            raise Corrupt(f"tensor {number} is read or made, there are {len(tensors)}")
    return subgraph


def _numbers(subgraph: Subgraph) -> Iterator[int]:
    """All tensors that a subgraph names by their numbers."""
    yield from (*subgraph.inputs, *subgraph.outputs)
    for operator in subgraph.operators:
        yield from (*operator.inputs, *operator.outputs)


def _operator(table: Table, names: Sequence[tuple[str, bool]]) -> Operator:
    number = table.unsigned(0)
    if number >= len(names):
        raise Corrupt(f"an operator is number {number} of {len(names)} kinds")
    name, is_custom = names[number]
    options = table.table(4) or table.table(12)
    return Operator(name, is_custom, table.integers(1), table.integers(2), options)


def _tensor(table: Table, buffers: Sequence[Span | None]) -> Tensor:
    name, number = table.text(3), table.unsigned(2)
    if table.unsigned(10):
        fix = "Put the weights into the file, or give the model that it was made from"
        raise ExternalReference("its values are in another file", where=name, fix=fix)
    if number >= len(buffers):
        raise Corrupt(f"its values are in buffer {number} of {len(buffers)}", where=name)
    if table.table(6) is not None:
        fix = "Convert the model again without sparsity"
        raise Unsupported("its values are stored as a sparse tensor", where=name, fix=fix)
    return Tensor(
        name=name,
        shape=_shape(table),
        elem_type=TYPES.get(table.byte(1), UNDEFINED),
        buffer=buffers[number] if number else None,  # number 0 stands for no bytes
        quantisation=_quantisation(table.table(4)),
        is_variable=table.flag(5),
    )


def _shape(table: Table) -> tuple[int | None, ...] | None:
    """The signature's lengths, where -1 is any length; None where not even the rank is known."""
    signature, shape = table.integers(7), table.integers(0)
    lengths = signature if len(signature) == len(shape) else shape
    if not lengths and not table.flag(8) and not table.unsigned(2):
        return None
    return tuple(None if n < 0 else n for n in lengths)


def _quantisation(table: Table | None) -> Quantisation | None:
    """None for plain numbers. Codes whose scales are in other tensors (blockwise) have none of their own."""
    if table is None:
        return None
    scale, zero_point = table.vector(2, 4) or NONE, table.vector(3, 8) or NONE
    if scale.start == scale.end and not table.byte(4):
        return None
    return Quantisation(scale, zero_point, table.integer(6))
