"""Matrix products and look-ups."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.steps import batch_matmul
from weightbridge.formats.tflite.nodes.call import Call, Handler, activated

KERNEL, BIAS = 1, 2
PLAIN = 0  # the format of a fully connected layer's weights


def fully_connected(call: Call) -> list[Node] | None:
    """Weights are (out, in). Without keep_num_dims everything but the last axis is the batch."""
    kernel, data = call.value(KERNEL), call.value(0)
    rank, width = call.rank(data), call.shape(kernel)
    if call.byte(1) != PLAIN or rank is None or width is None or len(width) != 2:
        return None
    bias = (call.value(BIAS),) if call.value(BIAS) else ()
    if call.flag(2) and rank > 2:
        return activated(call, call.byte(0), lambda output: _on_last_axis(call, bias, output))

    def nodes(output: str) -> list[Node]:
        rows, before = _rows(call, rank, width[1])
        return [*before, call.node("Gemm", (rows, kernel, *bias), output, transB=1)]

    return activated(call, call.byte(0), nodes)


def _rows(call: Call, rank: int, width: int | None) -> tuple[str, list[Node]]:
    """The data as a matrix, and what makes it one."""
    if rank == 2:
        return call.value(0), []
    rows = call.inner("rows")
    shape = call.constant("shape", (-1, width or -1))
    return rows, [shape, Node("", "Reshape", "", (call.value(0), shape.outputs[0]), (rows,), {})]


def _on_last_axis(call: Call, bias: tuple[str, ...], output: str) -> list[Node]:
    turned, product = (
        call.turned("kernel", call.value(KERNEL), (1, 0)),
        call.inner("product") if bias else output,
    )
    nodes = [turned, call.node("MatMul", (call.value(0), turned.outputs[0]), product)]
    return [*nodes, call.node("Add", (product, *bias), output)] if bias else nodes


def gather(call: Call) -> list[Node] | None:
    if call.integer(1):
        return None  # batch_dims: each item has indices of its own
    return [call.node("Gather", call.inputs[:2], axis=call.integer(0))]


def look_up(call: Call) -> list[Node]:
    """Inputs: the indices, the table."""
    return [call.node("Gather", (call.value(1), call.value(0)), axis=0)]


HANDLERS: Mapping[str, Handler] = {
    "FULLY_CONNECTED": fully_connected,
    "BATCH_MATMUL": lambda call: batch_matmul(call, (call.flag(0), call.flag(1))),
    "GATHER": gather,
    "EMBEDDING_LOOKUP": look_up,
}
