"""What stands around a recurrent node and says no more than it does itself.

Reverse -> cell -> Reverse    is    a cell that goes backwards        sequence[-1]    is    its state
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.formats.onnx.proto import TOLD, Node
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.onnx.values.slices import slice_arguments
from weightbridge.formats.tensorflow.flow import Flow
from weightbridge.formats.tensorflow.steps import LAST

Numbers = tuple[int, ...]
Cut = tuple[Numbers, Numbers, Numbers, Numbers]  # starts, ends, axes, steps
BACK: Cut = ((-1,), (-LAST,), (0,), (-1,))
VIEWS = frozenset({"Reshape", "Slice", "Squeeze", "Unsqueeze", "Transpose"})
MOST = 8  # views between two reversals


def tidied(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes, where what only turns a sequence around or takes its end is part of the cell."""
    told = without_copies(nodes, outputs)
    told = _backwards(told, outputs)
    told = _without_reversals(without_copies(told, outputs), outputs)
    return _without_unread(without_copies(_with_states(told, outputs), outputs), outputs)


def _without_unread(nodes: list[Node], outputs: Sequence[str]) -> list[Node]:
    """Without the views that nothing reads any more."""
    while True:
        read = {value for node in nodes for value in node.inputs} | set(outputs)
        left = [n for n in nodes if n.op not in VIEWS or n.domain or n.outputs[0] in read]
        if len(left) == len(nodes):
            return left
        nodes = left


def without_copies(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """Without Identity, but for one that gives an output of the graph."""
    kept = frozenset(outputs)
    is_copy = {id(n) for n in nodes if n.op == "Identity" and not n.domain and n.outputs[0] not in kept}
    behind = {n.outputs[0]: n.inputs[0] for n in nodes if id(n) in is_copy}

    def source(value: str) -> str:
        seen = {value}
        while value in behind and behind[value] not in seen:
            value = behind[value]
            seen.add(value)
        return value

    return [replace(n, inputs=tuple(map(source, n.inputs))) for n in nodes if id(n) not in is_copy]


def _cut(node: Node | None, flow: Flow) -> Cut | None:
    """What a Slice takes, where its numbers are constants."""
    if node is None or node.op != "Slice" or len(node.inputs) != 5:
        return None
    starts, ends, axes, steps = slice_arguments(node, lambda value: _constant(value, flow))
    return (starts, ends, axes, steps) if starts and ends and axes and steps else None


def _constant(value: str, flow: Flow) -> Numbers | None:
    maker = flow.maker.get(value)
    return None if maker is None else maker.attributes.get("value_ints")


def _reversed_axis(node: Node | None, flow: Flow) -> int | None:
    cut = _cut(node, flow)
    return cut[2][0] if cut is not None and cut == (*BACK[:2], cut[2][:1], BACK[3]) else None


def _backwards(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """A cell that is fed a sequence turned around goes backwards: what it gives is turned back."""
    flow = Flow(nodes, outputs)
    return [written for node in nodes for written in _turned_back(node, flow)]


def _turned_back(node: Node, flow: Flow) -> list[Node]:
    before = flow.maker.get(node.inputs[0]) if node.inputs and TOLD in node.attributes else None
    if before is None:
        return [node]
    data, added = f"{node.outputs[0]}{ADDED}data", list[Node]()
    inner = flow.maker.get(before.inputs[0]) if before.op == "Transpose" else None
    axis = _reversed_axis(inner, flow)
    if _reversed_axis(before, flow) == 0:
        data = before.inputs[0]
    elif inner is not None and axis is not None and _moved(before, axis) == 0:
        added = [replace(before, name="", inputs=inner.inputs[:1], outputs=(data,))]
    else:
        return [node]
    told = {TOLD: replace(node.attributes[TOLD], go_backwards=True)}
    steps = f"{node.outputs[0]}{ADDED}forwards"
    cell = replace(node, inputs=(data, *node.inputs[1:]), outputs=(steps, *node.outputs[1:]), attributes=told)
    return [*added, cell, *_reversal(steps, node.outputs[0])]


def _reversal(value: str, output: str) -> list[Node]:
    """Of the first axis."""
    names = [f"{output}{ADDED}{label}" for label in ("starts", "ends", "axes", "steps")]
    told = [
        Node("", "Constant", "", (), (name,), {"value_ints": numbers})
        for name, numbers in zip(names, BACK, strict=True)
    ]
    return [*told, Node("", "Slice", "", (value, *names), (output,), {})]


def _without_reversals(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """Two reversals of one axis, with views between them, are none."""
    flow = Flow(nodes, outputs)
    gone: dict[int, Node] = {}
    for node in nodes:
        if _reversed_axis(node, flow) is None or not _is_of_cell(node, flow):
            continue
        second = _second(node, flow)
        if second is not None:
            gone |= {id(n): replace(n, op="Identity", inputs=n.inputs[:1]) for n in (node, second)}
    return [gone.get(id(node), node) for node in nodes]


def _is_of_cell(node: Node, flow: Flow) -> bool:
    maker = flow.maker.get(node.inputs[0])
    return maker is not None and TOLD in maker.attributes


def _second(first: Node, flow: Flow) -> Node | None:
    """The reversal of the same axis that alone reads the first one's values."""
    axis, node = _reversed_axis(first, flow), first
    for _ in range(MOST):
        behind = flow.after(node)
        if behind is None or axis is None:
            return None
        if _reversed_axis(behind, flow) is not None:
            return behind if _reversed_axis(behind, flow) == axis else None
        axis, node = _moved(behind, axis), behind
    return None


def _moved(node: Node, axis: int) -> int | None:
    """Where an axis is behind a view; None for what is no such view."""
    axes: Numbers = tuple(node.attributes.get("axes") or ())
    match node.op:
        case "Transpose":
            order: Numbers = tuple(node.attributes.get("perm") or ())
            return order.index(axis) if axis in order else None
        case "Unsqueeze" if axes and min(axes) >= 0:
            for added in sorted(axes):
                axis += added <= axis
            return axis
        case "Squeeze" if axes and min(axes) >= 0 and axis not in axes:
            return axis - sum(gone < axis for gone in axes)
    return None


def _with_states(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The last step of a sequence is the cell's state; so is the only one of a list that keeps no other."""
    flow = Flow(nodes, outputs)
    states = _lasts(nodes, flow)
    made = []
    for node in nodes:
        before = flow.maker.get(node.inputs[0]) if node.inputs else None
        state = states.get(before.inputs[0]) if before is not None and _takes_last(before, flow) else None
        is_row = node.op == "Squeeze" and tuple(node.attributes.get("axes") or ()) == (0,)
        made.append(replace(node, op="Identity", inputs=(state,)) if state and is_row else node)
    return made


def _takes_last(node: Node, flow: Flow) -> bool:
    return _cut(node, flow) == ((-1,), (LAST,), (0,), (1,))


def _lasts(nodes: Sequence[Node], flow: Flow) -> Mapping[str, str]:
    """By a sequence in the order of its steps: the state behind the last one."""
    forwards = [n for n in nodes if TOLD in n.attributes and not n.attributes[TOLD].go_backwards]
    states = {node.outputs[0]: node.outputs[1] for node in forwards}
    behind = [node for node in nodes if node.inputs and _is_of_cell(node, flow)]
    return states | {node.outputs[0]: state for node in behind if (state := _kept(node, flow))}


def _kept(node: Node, flow: Flow) -> str:
    """The state that alone stands at the end of what is made of a cell's output, "" for anything else."""
    cell = flow.maker[node.inputs[0]]
    if node.op == "Unsqueeze" and tuple(node.attributes.get("axes") or ()) == (0,):
        return node.inputs[0]
    is_turned = cell.attributes[TOLD].go_backwards and _reversed_axis(node, flow) == 0
    return cell.outputs[1] if is_turned else ""
