"""The weights of recurrent layers: gates in Keras's order, one direction of several, biases joined."""

from typing import Any

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.model.activations import name_and_parameters
from weightbridge.model.tensors import Tensor

GATES = {"LSTM": "i f c o", "GRU": "z r h", "RNN": "h"}  # in Keras's order
HARD_GATES = {"LSTM": (0, 1, 3), "GRU": (0, 1)}  # of these, those that a gate's activation is for
HARD = (
    "gates with a hard sigmoid of another slope have Keras's, their weights multiplied by 6 times the slope"
)
OF_TORCH = {"g": "c", "n": "h"}  # what torch calls the candidates
Transform = tuple[str, dict[str, Any]]


def gate_factor(call: Call) -> float:
    """What the gates' weights are multiplied by, so that Keras's hard sigmoid does what the source's does.

    clip(slope x + 0.5) is relu6(6 slope x + 3) / 6.
    """
    name, parameters = name_and_parameters(call.settings.get("recurrent_activation", "sigmoid"))
    if name != "hard_sigmoid" or not parameters or parameters["offset"] != 0.5:
        return 1.0
    return 6 * float(parameters["slope"])


def put_weights(call: Call, layer: str, direction: int | None) -> None:
    """Of a layer, or of one direction of a Bidirectional."""
    units, gates = int(call.settings["units"]), len(GATES[call.layer.op].split())
    for role in ("kernel", "recurrent_kernel"):
        tensor = call.needed(role)
        rows = units if role == "recurrent_kernel" else _inputs(tensor)
        transform, parameters = _of_direction(tensor, _kernel(call, tensor), direction)
        moved = _scaled(call, (transform, parameters))
        call.weight(layer, role, (rows, gates * units), tensor, *moved)
    if call.tensor("bias") is not None:
        _put_bias(call, layer, direction, gates * units)


def _scaled(call: Call, moved: Transform) -> Transform:
    factor, op = gate_factor(call), call.layer.op
    if factor == 1.0:
        return moved
    told = {"factor": factor, "parts": len(GATES[op].split()), "blocks": list(HARD_GATES[op])}
    return "scaled", {**told, "inner": moved[0], "parameters": moved[1]}


def _order(call: Call) -> list[int]:
    """Where each of Keras's gates stands in the source."""
    wanted = GATES[call.layer.op].split()
    told = [OF_TORCH.get(g, g) for g in str(call.settings.get("gates", GATES[call.layer.op])).split()]
    if sorted(told) != sorted(wanted):
        raise Unsupported(f"has the gates {' '.join(told)}, which are not those of Keras")
    return [told.index(gate) for gate in wanted]


def _inputs(tensor: Tensor) -> int:
    axes = tensor.axes.split()
    if not axes:
        raise Unsupported(f"has a tensor {tensor.name} whose axes are not known")
    return tensor.shape[next(n for n, name in enumerate(axes) if name not in ("r", "g"))]


def _kernel(call: Call, tensor: Tensor) -> Transform:
    axes = tensor.axes.replace("r ", "")
    order = _order(call)
    first, second = axes.split()
    pattern = f"{first} {second} -> {second} {first}" if first == "g" else ""
    if order == sorted(order):
        return pattern, {}
    axis = 0 if first == "g" else 1
    return "gates", {"axis": axis, "order": order, "pattern": pattern}


def _of_direction(tensor: Tensor, inner: Transform, direction: int | None) -> Transform:
    if not tensor.axes.startswith("r "):
        return inner
    return "select", {"index": direction or 0, "inner": inner[0], "parameters": inner[1]}


def _put_bias(call: Call, layer: str, direction: int | None, width: int) -> None:
    """Keras adds both biases up, but for a GRU that resets after the product."""
    bias, recurrent = call.needed("bias"), call.tensor("recurrent_bias")
    is_stacked = call.layer.op == "GRU" and bool(call.settings.get("reset_after"))
    shape = (2, width) if is_stacked else (width,)
    each = bias.size // (bias.shape[0] if bias.axes.startswith("r ") else 1)
    if each == width and recurrent is None:
        inner = _alone(call, is_stacked=is_stacked)
    else:
        inner = ("gate-bias", {"join": "stack" if is_stacked else "add", "order": _order(call)})
    transform, parameters = _scaled(call, _of_direction(bias, inner, direction))
    sources = (bias.name,) if recurrent is None else (bias.name, recurrent.name)
    call.give(Weight(layer, "bias", sources, shape, transform, parameters))


def _alone(call: Call, *, is_stacked: bool) -> Transform:
    """A single row of biases."""
    if is_stacked:
        raise Unsupported("has one bias where Keras's layer has two")
    order = _order(call)
    return ("", {}) if order == sorted(order) else ("gates", {"axis": 0, "order": order, "pattern": ""})
