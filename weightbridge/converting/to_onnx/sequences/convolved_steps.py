"""ConvLSTM1D, 2D and 3D: ONNX has no such node, so every step of a known number is written out.

i, f, o = recurrent_activation(...), c = f c + i activation(...), h = o activation(c), in the order i f c o.
"""

from collections.abc import Mapping, Sequence

from weightbridge.boundary.records import dataclass
from weightbridge.converting.to_onnx.arrange import arranged
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import as_floats, binary
from weightbridge.converting.to_onnx.functions.slices import split
from weightbridge.converting.to_onnx.layers.activations import activate
from weightbridge.converting.to_onnx.layers.convolutions import bias_of, padding_attributes
from weightbridge.converting.to_onnx.sequences.masks import mask_of
from weightbridge.converting.to_onnx.values import Value, straight
from weightbridge.formats.keras.architecture.activations import activation
from weightbridge.formats.keras.architecture.windows import explicit, per_axis, slide
from weightbridge.model.tensors import Tensor

SPACE = ("d", "h", "w")
MOST = 256  # steps that are written out


@dataclass(frozen=True, slots=True)
class _Cell:
    """The kernels of both convolutions, and what one step gives: (batch, filters, space)."""

    call: Call
    kernel: str
    recurrent: str
    step: Value


def _convolved(call: Call) -> tuple[Value, ...]:
    value = _by_steps(call)
    count = value.shape[1]
    if count is None or not 0 < count <= MOST:
        raise call.refused(f"has {count or 'an open number of'} steps, and 1 to {MOST} are written out")
    cell = _cell(call, value)
    steps = reversed(range(count)) if call.config.get("go_backwards") else range(count)
    outputs: list[Value] = []
    state = None
    for step in steps:
        fed = call.writer.op("Gather", value.name, call.writer.constant("step", step, "int64"), axis=0)
        hidden, state = _stepped(cell, fed, outputs[-1] if outputs else None, state)
        outputs.append(hidden)
    assert state is not None, "there is a step"
    first = _sequence(call, outputs) if call.config.get("return_sequences") else outputs[-1]
    return (first, outputs[-1], state) if call.config.get("return_state") else (first,)


def _by_steps(call: Call) -> Value:
    """(steps, batch, channels, space). Raises Unsupported for masks and given states."""
    if mask_of(call) is not None:
        raise call.refused("is masked, which is not written")
    if call.given("initial_state.0") is not None:
        raise call.refused("is given its states, which is not written")
    value = as_floats(call.writer, call.first)
    return arranged(call.writer, value, (1, 0, *_channels_first(call, value.rank, 2)))


def _channels_first(call: Call, rank: int, begin: int) -> tuple[int, ...]:
    """Keras's axes from `begin` on, channels before space."""
    axes = tuple(range(begin, rank))
    return axes if call.config.get("data_format") == "channels_first" else (axes[-1], *axes[:-1])


def _cell(call: Call, value: Value) -> _Cell:
    kernel, recurrent = (_kernel(call, call.tensor(role)) for role in ("kernel", "recurrent_kernel"))
    sizes = tuple(value.shape[axis] for axis in value.order[3:])
    filters, window = int(call.config["filters"]), _window(call)
    space = slide(sizes, explicit(str(call.config.get("padding", "valid")), window, sizes), window)
    is_first = call.config.get("data_format") == "channels_first"
    shape = (value.shape[0], *((filters, *space) if is_first else (*space, filters)))
    return _Cell(call, kernel, recurrent, Value("", shape, (0, *_channels_first(call, len(shape), 1))))


def _kernel(call: Call, tensor: Tensor) -> str:
    """h w i o -> o i h w"""
    space = SPACE[-(len(tensor.shape) - 2) :] if len(tensor.shape) > 3 else ("h",)
    names = " ".join(space)
    shape = (*tensor.shape[:-3:-1], *tensor.shape[:-2])
    return call.writer.weight(tensor, shape, f"{names} i o -> o i {names}")


def _window(call: Call) -> Mapping[str, tuple[int, ...]]:
    config = call.config
    kernel = per_axis(config["kernel_size"], call.first.rank - 3)
    told = {"strides": config.get("strides", 1), "dilation": config.get("dilation_rate", 1)}
    return {"kernel": kernel, **{key: per_axis(value, len(kernel)) for key, value in told.items()}}


def _stepped(cell: _Cell, fed: str, hidden: Value | None, state: Value | None) -> tuple[Value, Value]:
    """h and c after a step; before the first one both are zero."""
    call, window = cell.call, _window(cell.call)
    padding = explicit(str(call.config.get("padding", "valid")), window, None)
    given = {"kernel_shape": window["kernel"], "strides": window["strides"], "dilations": window["dilation"]}
    name = call.writer.op("Conv", fed, cell.kernel, *bias_of(call), **given, **padding_attributes(padding))
    if hidden is not None:
        same = padding_attributes("same")
        inner = call.writer.op("Conv", hidden.name, cell.recurrent, kernel_shape=window["kernel"], **same)
        name = call.writer.op("Add", name, inner)
    gates = [cell.step.named(part) for part in split(call.writer, name, 1, 4)]
    return _gated(call, gates, state)


def _gated(call: Call, gates: Sequence[Value], state: Value | None) -> tuple[Value, Value]:
    own = activation(call.config.get("activation", "tanh"))
    recurrent = activation(call.config.get("recurrent_activation", "sigmoid"))
    let_in, kept, new, out = gates
    after = binary(call.writer, "Mul", activate(call, let_in, recurrent), activate(call, new, own))
    if state is not None:
        left = binary(call.writer, "Mul", activate(call, kept, recurrent), state)
        after = binary(call.writer, "Add", left, after)
    hidden = binary(call.writer, "Mul", activate(call, out, recurrent), activate(call, after, own))
    return hidden, after


def _sequence(call: Call, outputs: Sequence[Value]) -> Value:
    """All steps behind the batch."""
    step = outputs[0]
    names = [call.writer.unsqueezed(value.name, [1]) for value in outputs]
    name = call.writer.op("Concat", *names, axis=1)
    shape = (step.shape[0], len(outputs), *step.shape[1:])
    order = (0, 1, *(axis + 1 for axis in step.order[1:]))
    assert sorted(order) == list(straight(len(shape)))
    return Value(name, shape, order)


CLASSES: Mapping[str, Builder] = dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _convolved)
