"""Whether a quantised model rounds its data too: its outputs are then not those of the floats alone."""

from collections.abc import Sequence

from weightbridge.formats.tflite.messages import Model, Operator, Subgraph

CODES = frozenset({2, 3, 5})  # element types of data that are rounded: integers of 8 and 16 bits
ON_THE_FLY = frozenset({  # round data of floats where they meet codes
    "BATCH_MATMUL", "BIDIRECTIONAL_SEQUENCE_LSTM", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
    "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
})  # fmt: skip


def rounds_data(model: Model) -> bool:
    return any(_rounds(subgraph) for subgraph in model.subgraphs)


def _rounds(subgraph: Subgraph) -> bool:
    data = (tensor for tensor in subgraph.tensors if tensor.buffer is None)
    has_codes = any(t.elem_type in CODES and t.quantisation is not None for t in data)
    return has_codes or any(_meets_codes(subgraph, operator) for operator in subgraph.operators)


def rounded_inputs(subgraph: Subgraph, names: Sequence[str]) -> frozenset[str]:
    """What operators give that round the data of floats that they read."""
    meeting = (o for o in subgraph.operators if _meets_codes(subgraph, o) and _reads_floats(subgraph, o))
    return frozenset(names[number] for operator in meeting for number in operator.outputs if number >= 0)


def _reads_floats(subgraph: Subgraph, operator: Operator) -> bool:
    return subgraph.tensors[operator.inputs[0]].quantisation is None


def _meets_codes(subgraph: Subgraph, operator: Operator) -> bool:
    if operator.op not in ON_THE_FLY:
        return False
    read = (subgraph.tensors[number] for number in operator.inputs if number >= 0)
    return any(tensor.buffer is not None and tensor.elem_type in CODES for tensor in read)
