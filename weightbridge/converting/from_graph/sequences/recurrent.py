"""LSTM, GRU and SimpleRNN, alone or in both directions, with their states."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weightbridge.converting.from_graph.arrange import arranged
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.activations import PLAIN
from weightbridge.converting.from_graph.layout import Groups, plain
from weightbridge.converting.from_graph.sequences.cells import HARD, gate_factor, put_weights
from weightbridge.converting.from_graph.sequences.given_states import MASK, STATES, give, heed, settle
from weightbridge.converting.from_graph.sequences.recurrent_layouts import has_direction, layout_of
from weightbridge.converting.from_graph.sequences.steps import reads_last_alone
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.layers import object_entry
from weightbridge.errors import Unsupported
from weightbridge.model.activations import Activation, name_and_parameters
from weightbridge.model.graph import Layer

CLASSES = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}
DIRECTIONS = ("forward", "backward")
CELL = 2  # the output of ONNX's LSTM that holds the state of its cells


def _recurrent(call: Call) -> tuple[Value, ...]:
    """The source's outputs by their ports: the sequence, then the states."""
    axes = _axes(call)
    value = _sequence(call, axes)
    is_double = call.settings.get("direction") == "bidirectional"
    needs_steps, needs_states = _needed(call, axes)
    config = _config(call, needs_steps, needs_states)
    if is_double:
        return _double(call, value, axes, config)
    name, number = call.keras(CLASSES[call.layer.op], config, value)
    _refuse_other_outputs(call, name, config)
    put_weights(call, name, None)
    give(call, name, number)
    settle(call)
    return _outputs(call, value, axes, (name, number), config)


def _axes(call: Call) -> tuple[int, int]:
    """Which of the source's axes are the batch and time."""
    return (0, 1) if call.settings.get("layout") == 1 else (1, 0)


def _sequence(call: Call, axes: tuple[int, int]) -> Value:
    layout = call.first.layout
    if _is_one_step(call) and layout.rank == 2:
        wanted: Groups = (layout.source[0], (), layout.source[1])
        return arranged(call.writer, call.first, wanted, call.name)
    if layout.rank != 3:
        raise Unsupported(f"is fed {layout.rank} axes")
    batch, time = axes
    wanted = (layout.source[batch], layout.source[time], layout.source[2])
    return arranged(call.writer, call.first, wanted, call.name)


def _needed(call: Call, axes: tuple[int, int]) -> tuple[bool, bool]:
    """Whether the whole sequence is read, and whether the states are."""
    ports = _ports(call)
    is_read = bool(ports & _sequence_ports(call))
    is_whole = is_read and not _takes_last(call, axes)
    states = ports - _sequence_ports(call)
    return is_whole, bool(states) and (is_read or CELL in states)


def _takes_last(call: Call, axes: tuple[int, int]) -> bool:
    if call.settings.get("direction") == "bidirectional":
        return False
    time = axes[1] if not has_direction(call) else (0 if axes[1] == 0 else 1)
    first = min(_sequence_ports(call))
    return reads_last_alone(call.source, call.name, first, time, go_backwards=_is_backward(call))


def _is_backward(call: Call) -> bool:
    return bool(call.settings.get("go_backwards"))


def _ports(call: Call) -> set[int]:
    read = {edge.port for edge in call.source.edges if edge.source == call.name}
    return read | {port.index for port in call.source.output_ports if port.layer == call.name}


def _sequence_ports(call: Call) -> set[int]:
    """The outputs that hold all steps: of a Loop those that it collects, of ONNX's node the first."""
    told = () if _is_one_step(call) else call.settings.get("sequence_ports")
    return {int(port) for port in told} if isinstance(told, tuple) else {0}


def _is_one_step(call: Call) -> bool:
    """A cell that the source calls once, on a value without an axis of time."""
    return call.settings.get("steps") == 1


def _config(call: Call, needs_steps: bool, needs_states: bool) -> dict[str, Any]:
    settings, op = call.settings, call.layer.op
    if settings.get("clip") or settings.get("input_forget"):
        raise Unsupported("clips its cells, or couples its gates")
    if settings.get("state_limit"):
        limit = f"{settings['state_limit']:g}"
        sentence = (
            f"the states of cells have no limit of {limit} any more, which is equal while they are below"
        )
        call.writer.rewrote(sentence, call.name)
    config: dict[str, Any] = {
        "units": int(settings["units"]),
        "activation": _function(settings.get("activation", "tanh")),
        "use_bias": call.tensor("bias") is not None,
    }
    if op != "RNN":
        config["recurrent_activation"] = _of_gates(call)
    if op == "GRU":
        config["reset_after"] = bool(settings["reset_after"])
    config |= {"return_sequences": needs_steps, "return_state": needs_states}
    if settings.get("zero_output_for_mask"):
        config["zero_output_for_mask"] = True
    if _is_backward(call) and settings.get("direction") != "bidirectional":
        config["go_backwards"] = True
    return config


def _of_gates(call: Call) -> str:
    if gate_factor(call) != 1.0:
        call.writer.rewrote(HARD, call.name)
        return "hard_sigmoid"
    return _function(call.settings.get("recurrent_activation", "sigmoid"))


def _function(activation: Activation) -> str:
    name, parameters = name_and_parameters(activation)
    if parameters or name not in PLAIN:
        raise Unsupported(f"has the activation {name} {dict(parameters)}, which is none of Keras's names")
    return PLAIN[name]


def _double(call: Call, value: Value, axes: tuple[int, int], config: dict[str, Any]) -> tuple[Value, ...]:
    """Both directions side by side; the backward one's sequence is turned as Keras turns it back."""
    if set(call.keywords) - {"", MASK}:
        raise Unsupported("is given its states in both directions")
    name, number = call.keras("Bidirectional", _wrapped(call, config), value)
    _refuse_other_outputs(call, name, config)
    give(call, name, number)
    for index, direction in enumerate(DIRECTIONS):
        put_weights(call, f"{name}/{direction}_{call.layer.op.lower()}", index)
    settle(call)
    return _outputs(call, value, axes, (name, number), config)


def joined(call: Call, forward: Layer, backward: Layer, value: Value) -> tuple[Value, ...]:
    """Two layers, one of which goes backwards, as one. call: of what joins what they give."""
    told = {"direction": "bidirectional", "go_backwards": False}
    whole = replace(forward, attributes={**forward.attributes, **told})
    outside = replace(call, layer=replace(whole, name=call.name), inputs=(value,), keywords=("",))
    inside = replace(outside, layer=whole)
    axes = _axes(outside)
    fed = _sequence(inside, axes)
    config = _config(inside, *_needed(outside, axes))
    name, number = inside.keras("Bidirectional", _wrapped(inside, config), fed)
    _refuse_other_outputs(call, name, config)
    for direction, layer in zip(DIRECTIONS, (forward, backward), strict=True):
        put_weights(replace(inside, layer=layer), f"{name}/{direction}_{layer.op.lower()}", None)
    heed(inside, name, number)
    return _outputs(outside, fed, axes, (name, number), config)


def _refuse_other_outputs(call: Call, name: str, config: Mapping[str, Any]) -> None:
    """Raises Unsupported where a layer that is called again gave another of its outputs before."""
    written = call.writer.entries[name]["config"]
    written = written["layer"]["config"] if "layer" in written else written
    if any(written[key] != config[key] for key in ("return_sequences", "return_state")):
        raise Unsupported("is called again, and another of its outputs is read than at first")


def _wrapped(call: Call, config: Mapping[str, Any]) -> dict[str, Any]:
    wrapped: dict[str, Any] = {"merge_mode": call.settings.get("merge_mode", "concat")}
    for place, direction in zip(("layer", "backward_layer"), DIRECTIONS, strict=True):
        own = {"name": f"{direction}_{call.layer.op.lower()}", **config}
        if direction == "backward":
            own["go_backwards"] = True
        wrapped[place] = object_entry("keras.layers", CLASSES[call.layer.op], own)
    return wrapped


def _outputs(
    call: Call, value: Value, axes: tuple[int, int], made: tuple[str, int], config: Mapping[str, Any]
) -> tuple[Value, ...]:
    name, number = made
    units, steps = int(config["units"]), value.layout.shape[1]
    is_whole = bool(config["return_sequences"])
    sequence = layout_of(call, axes, units, steps if is_whole else 1)
    state = layout_of(call, axes, units, None, is_state=True)
    steps_made = Value(name, number, 0, sequence)
    if is_whole and config.get("go_backwards") and not call.settings.get("is_turned"):
        flipped = call.writer.operation("numpy.Flip", f"{name}_flip", {"axis": 1}, [steps_made])
        steps_made = Value(flipped, 0, 0, sequence)
    outputs: dict[int, Value] = dict.fromkeys(_sequence_ports(call), steps_made)
    others = sorted(_ports(call) - outputs.keys())
    for port in others:
        outputs[port] = _state_made(call, port, made, config).seen(state)
    return tuple(outputs.get(port, Value(name, number, 0, sequence)) for port in range(max(outputs) + 1))


def _state_made(call: Call, port: int, made: tuple[str, int], config: Mapping[str, Any]) -> Value:
    """A state: of both directions side by side, where Keras's layer gives each by itself."""
    name, number = made
    is_double = call.settings.get("direction") == "bidirectional"
    if not is_double or not config["return_state"]:
        return Value(name, number, _output_of_state(call, port, config), plain([None, config["units"]]))
    count, layout = STATES[call.layer.op], plain([None, int(config["units"])])
    halves = [Value(name, number, place, layout) for place in (port, port + count)]
    joined = call.writer.layer("Concatenate", f"{name}_state", {"axis": -1}, halves)
    return Value(joined, 0, 0, layout)


def _output_of_state(call: Call, port: int, config: Mapping[str, Any]) -> int:
    """The number of Keras's output: without a sequence it is the first one itself."""
    if "sequence_ports" in call.settings:
        if call.layer.op == "LSTM":
            raise Unsupported("gives its states out of a Loop")
        return 1 if config["return_state"] else 0
    return port if config["return_state"] else 0


BUILDERS: Mapping[str, Builder] = dict.fromkeys(CLASSES, _recurrent)
