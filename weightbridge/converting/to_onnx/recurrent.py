"""LSTM, GRU and SimpleRNN as ONNX's own nodes, in one direction or both.

Their axes are (steps, batch, features); gates stand in another order than in Keras.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.converting.to_onnx.arrange import arranged, as_keras, transpose
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import as_floats, binary, with_number
from weightbridge.converting.to_onnx.slices import flipped, split
from weightbridge.converting.to_onnx.values import Order, Value
from weightbridge.model.activations import Activation, name_and_parameters
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import CUDNN
from weightbridge.model.tensors import Tensor

STEPS_FIRST: Order = (1, 0, 2)
GATES: Mapping[str, tuple[int, ...]] = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
STATES = {"LSTM": 2, "GRU": 1, "RNN": 1}
ACTIVATIONS: Mapping[str, tuple[str, dict[str, float]]] = {
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "relu": ("Relu", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "elu": ("Elu", {"alpha": 1.0}),
    "linear": ("Affine", {"alpha": 1.0, "beta": 0.0}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "thresholded_relu": ("ThresholdedRelu", {"alpha": 1.0}),
}
CALLED = {"slope": "alpha", "offset": "beta", "theta": "alpha"}  # Keras's parameters in ONNX's terms


@dataclass(frozen=True, slots=True)
class Run:
    """What a node gives: (steps, directions, batch, units), and states (directions, batch, units)."""

    sequence: str
    states: tuple[str, ...]


def _recurrent(call: Call) -> tuple[Value, ...]:
    settings, directions = call.settings, (call.layer,)
    run, value = run_of(call, directions), call.first
    units, batch, writer = int(settings["units"]), value.shape[0], call.writer
    axes = writer.integers("direction", [1 if settings["return_sequences"] else 0])
    states = tuple(_state(call, name, units) for name in run.states)
    if settings["return_sequences"]:
        name = writer.op("Squeeze", run.sequence, axes)
        first = Value(name, (batch, value.shape[1], units), STEPS_FIRST)
        if settings["go_backwards"]:
            first = flipped(writer, first, 1)
    else:
        first = Value(writer.op("Squeeze", run.states[0], axes), (batch, units), (0, 1))
    return (first, *states) if settings.get("return_state") else (first,)


def _state(call: Call, name: str, units: int) -> Value:
    axes = call.writer.integers("direction", [0])
    return Value(call.writer.op("Squeeze", name, axes), (call.first.shape[0], units), (0, 1))


def bidirectional(call: Call) -> tuple[Value, ...]:
    """Both directions by one node; the backward one's sequence is as long as it came, not turned round."""
    forward, backward = (call.source.by_name[name.partition("#")[0]] for name in call.node.parts)
    settings = forward.settings
    if forward.op not in GATES:
        raise call.refused(f"wraps a {forward.class_name}")
    if _told(forward) != _told(backward) or settings["go_backwards"] or not backward.settings["go_backwards"]:
        raise call.refused("has directions of two kinds")
    inner = call.of_layer(forward)
    run, writer = run_of(inner, (forward, backward)), call.writer
    units, batch, steps = int(settings["units"]), call.first.shape[0], call.first.shape[1]
    mode = call.config.get("merge_mode", "concat")
    if settings["return_sequences"]:
        shape, order = (batch, steps, units), STEPS_FIRST
        merged = _merged(call, run.sequence, 1, Value("", shape, order), mode)
    else:
        merged = _merged(call, run.states[0], 0, Value("", (batch, units), (0, 1)), mode)
    if not settings.get("return_state"):
        return merged
    by_state = [split(writer, name, 0, 2) for name in run.states]
    states = [by_state[n][direction] for direction in (0, 1) for n in range(len(by_state))]
    axes = writer.integers("direction", [0])
    return (*merged, *(Value(writer.op("Squeeze", name, axes), (batch, units), (0, 1)) for name in states))


def _told(layer: Layer) -> dict[str, Any]:
    """What both directions must have in common."""
    apart = {"go_backwards", "trainable"}
    return {"op": layer.op, **{key: value for key, value in layer.settings.items() if key not in apart}}


def _merged(call: Call, name: str, axis: int, one: Value, mode: Any) -> tuple[Value, ...]:
    """Two directions along an axis become one value, or stay two. one: the shape of a direction alone."""
    writer = call.writer
    if mode == "concat":
        places = (0, 2, 1, 3) if axis else (1, 0, 2)
        units = 2 * int(one.shape[-1] or 0)
        name = transpose(writer, name, places)
        lengths = (*one.lengths[:-1], units)
        name = writer.op("Reshape", name, writer.integers("shape", [*(0 for _ in lengths[:-1]), units]))
        return (one.named(name, shape=(*one.shape[:-1], units)),)
    axes = writer.integers("direction", [axis])
    parts = [one.named(writer.op("Squeeze", part, axes)) for part in split(writer, name, axis, 2)]
    if mode is None:
        return tuple(parts)
    joined = binary(writer, "Mul" if mode == "mul" else "Add", *parts)
    return (with_number(writer, "Mul", joined, 0.5, "half") if mode == "ave" else joined,)


def run_of(call: Call, directions: Sequence[Layer]) -> Run:
    """The node. directions: the layers that hold the weights, forward first."""
    settings, op = call.settings, directions[0].op
    if call.first.mask is not None:
        raise call.refused("skips what a mask hides, which ONNX's node does not")
    if settings.get("zero_output_for_mask") and call.given("mask") is not None:
        raise call.refused("is called with a mask")
    value = arranged(call.writer, as_floats(call.writer, call.first), STEPS_FIRST)
    kernels = [_stacked(call, directions, role, op) for role in ("kernel", "recurrent_kernel")]
    states = _given_states(call, len(directions), op)
    inputs = [value.name, *kernels, _bias(call, directions, op), "", *states]
    while not inputs[-1]:
        inputs.pop()
    names = call.writer.ops(op, inputs, 1 + STATES[op], **_attributes(call, directions, op))
    return Run(names[0], names[1:])


def _attributes(call: Call, directions: Sequence[Layer], op: str) -> dict[str, Any]:
    settings = call.settings
    way = "reverse" if settings["go_backwards"] else "forward"
    found: dict[str, Any] = {
        "hidden_size": int(settings["units"]),
        "direction": way if len(directions) == 1 else "bidirectional",
        **_activations(call, op, len(directions)),
    }
    if op == "GRU":
        found["linear_before_reset"] = int(bool(settings["reset_after"]))
    return found


def _activations(call: Call, op: str, count: int) -> dict[str, Any]:
    """None where they are the usual ones."""
    own: Activation = call.settings.get("activation", "tanh")
    told = [own] if op == "RNN" else [call.settings.get("recurrent_activation", "sigmoid"), own]
    told = [*told, own] if op == "LSTM" else told
    if told in (["tanh"], ["sigmoid", "tanh"], ["sigmoid", "tanh", "tanh"]):
        return {}
    named = [_activation(call, activation) for activation in told] * count
    alphas = tuple(float(given["alpha"]) for _, given in named if "alpha" in given)
    betas = tuple(float(given["beta"]) for _, given in named if "beta" in given)
    names = tuple(name for name, _ in named)
    return {"activations": names, "activation_alpha": alphas or None, "activation_beta": betas or None}


def _activation(call: Call, activation: Activation) -> tuple[str, dict[str, float]]:
    name, parameters = name_and_parameters(activation)
    if name not in ACTIVATIONS:
        raise call.refused(f"has the activation {name}, which ONNX's node does not know")
    op, usual = ACTIVATIONS[name]
    return op, {**usual, **{CALLED.get(key, key): value for key, value in parameters.items()}}


def _given_states(call: Call, count: int, op: str) -> list[str]:
    """initial_state.0, .1, ...: of each direction those of its kind in turn."""
    given = [call.given(f"initial_state.{n}") for n in range(count * STATES[op])]
    if not any(given):
        return []
    names: list[str] = []
    for kind in range(STATES[op]):
        states = given[kind :: STATES[op]]
        axes = call.writer.integers("direction", [0])
        parts = [call.writer.op("Unsqueeze", as_keras(call.writer, s).name, axes) for s in states if s]
        if len(parts) < count:
            raise call.refused("is given some of its states alone")
        names.append(parts[0] if count == 1 else call.writer.op("Concat", *parts, axis=0))
    return names


def _stacked(call: Call, directions: Sequence[Layer], role: str, op: str) -> str:
    """(directions, gates x units, inputs)"""
    tensors = [_tensor(call, layer, role) for layer in directions]
    rows, columns = tensors[0].shape
    pattern = "i g -> 1 g i"
    step = (pattern, {}) if op != "LSTM" else ("gates", _gates(op, 1, pattern))
    return _joined(call, directions, tensors, (columns, rows), step)


def _gates(op: str, axis: int, pattern: str) -> dict[str, Any]:
    return {"axis": axis, "order": list(GATES[op]), "pattern": pattern}


def _bias(call: Call, directions: Sequence[Layer], op: str) -> str:
    """(directions, 2 x gates x units): that of the inputs, then that of the state."""
    if not call.settings.get("use_bias", True):
        return ""
    tensors = [_tensor(call, layer, "bias") for layer in directions]
    is_cudnn = call.settings.get("weights") == CUDNN
    is_double = len(tensors[0].shape) == 2 or (is_cudnn and op == "GRU")
    if is_double:
        return _joined(call, directions, tensors, (tensors[0].size,), ("b g -> 1 (b g)", {}))
    size = tensors[0].size * (1 if is_cudnn else 2)
    step = ("gate-bias", {"order": list(GATES[op]), "join": "zeros"})
    return _joined(call, directions, tensors, (size,), step)


def _joined(
    call: Call,
    directions: Sequence[Layer],
    tensors: Sequence[Tensor],
    shape: tuple[int, ...],
    step: tuple[str, dict[str, Any]],
) -> str:
    """One initializer of all directions."""
    steps = [_from_cudnn(layer, tensor, step) for layer, tensor in zip(directions, tensors, strict=True)]
    if len(tensors) == 1:
        transform, parameters = steps[0]
        return call.writer.weight(tensors[0], (1, *shape), transform, parameters)
    weights = [{"parts": 1, "transform": transform, "parameters": given} for transform, given in steps]
    joined = {"weights": weights, "then": "concatenate", "with": {"axis": 0}}
    name = f"{call.node.owner}/{tensors[0].role}"
    return call.writer.weight(tensors, (len(tensors), *shape), "computed", joined, name=name)


def _from_cudnn(layer: Layer, tensor: Tensor, step: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The same step, of weights that are kept as CuDNN wants them."""
    if layer.settings.get("weights") != CUDNN:
        return step
    value = "kernel" if tensor.role != "bias" else f"{layer.op.lower()}-bias"
    given = {"way": "from", "value": value, "gates": len(GATES[layer.op])}
    return "cudnn", {**given, "inner": step[0], "parameters": step[1]}


def _tensor(call: Call, layer: Layer, role: str) -> Tensor:
    tensor = layer.tensor(role)
    if tensor is None:
        raise call.refused(f"has no {role} in the file")
    return tensor


BUILDERS: Mapping[str, Builder] = {"LSTM": _recurrent, "GRU": _recurrent, "RNN": _recurrent}
CLASSES: Mapping[str, Builder] = {"Bidirectional": bidirectional}
