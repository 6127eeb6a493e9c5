"""LSTM, GRU and SimpleRNN in one direction, and RNNs of cells."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.functions.slices import flipped
from weightbridge.converting.to_onnx.sequences.recurrent_node import STEPS_FIRST, run_of
from weightbridge.converting.to_onnx.values import Value


def _recurrent(call: Call) -> tuple[Value, ...]:
    settings, directions = call.settings, (call.layer,)
    run, value = run_of(call, directions), call.first
    units, batch, writer = int(settings["units"]), value.shape[0], call.writer
    axes = writer.integers("direction", [1 if settings["return_sequences"] else 0])
    if settings["return_sequences"]:
        name = writer.op("Squeeze", run.sequence, axes)
        first = Value(name, (batch, value.shape[1], units), STEPS_FIRST, mask=value.mask)
        if settings["go_backwards"]:
            first = flipped(writer, first, 1)
    else:
        first = Value(writer.op("Squeeze", run.last, axes), (batch, units), (0, 1))
    if not settings.get("return_state"):
        return (first,)
    return (first, *(_state(call, name, units) for name in run.states))


def _state(call: Call, name: str, units: int) -> Value:
    axes = call.writer.integers("direction", [0])
    return Value(call.writer.op("Squeeze", name, axes), (call.first.shape[0], units), (0, 1))


def _cells(call: Call) -> tuple[Value, ...]:
    """An RNN of cells: each has been drawn as the layer that it is, and reads the one before."""
    if len(call.parts) > 1 and call.keywords.count("initial_state.0"):
        raise call.refused("is given the states of several cells")
    first, states = call.parts[-1][0], [state for part in call.parts for state in part[1:]]
    return (first, *states) if call.config.get("return_state") else (first,)


BUILDERS: Mapping[str, Builder] = {"LSTM": _recurrent, "GRU": _recurrent, "RNN": _recurrent}
CLASSES: Mapping[str, Builder] = {"RNN": _cells}
