"""What a recurrent layer is fed beside its sequence: its states, and which steps count."""

from weightbridge.converting.from_graph.arrange import arranged
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

STATES = {"LSTM": 2, "GRU": 1, "RNN": 1}
WEIGHTS = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
MASK = "mask"


def give(call: Call, name: str, number: int) -> None:
    """Its states, and which steps count. number: of the call."""
    heed(call, name, number)
    given = {keyword: value for keyword, value in zip(call.keywords, call.inputs, strict=True) if keyword}
    mask = given.pop(MASK, None)
    if mask is not None:
        shown = arranged(call.writer, mask, mask.layout.source[:2], call.name)
        call.writer.with_arguments(name, {MASK: shown})
    wanted = [f"initial_state.{n}" for n in range(STATES[call.layer.op])]
    if given.keys() - set(wanted):
        raise Unsupported(f"is given {', '.join(sorted(given))}, which Keras's layer does not take")
    if given and len(given) < len(wanted):
        raise Unsupported("is given some of its states alone")
    if given:
        turned = [_state(call, given[keyword]) for keyword in wanted]
        call.writer.with_arguments(name, {"initial_state": turned})


def heed(call: Call, name: str, number: int) -> None:
    """Which mask it uses."""
    if MASK in call.settings:
        call.writer.masks[name, number] = str(call.settings[MASK])


def settle(call: Call) -> None:
    """States and lengths that stand in the file say nothing else than Keras's layer does by itself."""
    idle = [tensor.name for tensor in call.layer.tensors if tensor.role not in WEIGHTS]
    call.writer.settled.update(idle)


def _state(call: Call, value: Value) -> Value:
    """(direction, batch, units) -> (batch, units)"""
    layout = value.layout
    return arranged(call.writer, value, (layout.source[-2], layout.source[-1]), call.name)
