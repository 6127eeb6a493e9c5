"""Matrix products and look-ups."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
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
    kernel, product = call.inner("kernel"), call.inner("product") if bias else output
    nodes = [
        Node("", "Transpose", "", (call.value(KERNEL),), (kernel,), {"perm": (1, 0)}),
        call.node("MatMul", (call.value(0), kernel), product),
    ]
    return [*nodes, call.node("Add", (product, *bias), output)] if bias else nodes


def batch_matmul(call: Call) -> list[Node] | None:
    nodes: list[Node] = []
    factors = []
    for place, field in ((0, 0), (1, 1)):
        value, rank = call.value(place), call.rank(call.value(place))
        if call.flag(field):
            if rank is None or rank < 2:
                return None
            turned = call.inner(f"factor{place}")
            order = (*range(rank - 2), rank - 1, rank - 2)
            nodes.append(Node("", "Transpose", "", (value,), (turned,), {"perm": order}))
            value = turned
        factors.append(value)
    return [*nodes, call.node("MatMul", tuple(factors))]


def gather(call: Call) -> list[Node] | None:
    if call.integer(1):
        return None  # batch_dims: each item has indices of its own
    return [call.node("Gather", call.inputs[:2], axis=call.integer(0))]


def look_up(call: Call) -> list[Node]:
    """Inputs: the indices, the table."""
    return [call.node("Gather", (call.value(1), call.value(0)), axis=0)]


HANDLERS: Mapping[str, Handler] = {
    "FULLY_CONNECTED": fully_connected,
    "BATCH_MATMUL": batch_matmul,
    "GATHER": gather,
    "EMBEDDING_LOOKUP": look_up,
}
