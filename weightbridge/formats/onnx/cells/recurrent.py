"""ONNX's LSTM, GRU and RNN as canonical layers: W, R and B with ONNX's gate order (i o f c; z r h)."""

from dataclasses import replace
from typing import Any

from weightbridge.formats.onnx.cells.gate_activations import cell_activations
from weightbridge.formats.onnx.cells.told import told_cell
from weightbridge.formats.onnx.cells.torch_weights import TorchCell, torch_cells
from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, draft, ports_of
from weightbridge.formats.onnx.nodes.operands import name_of
from weightbridge.formats.onnx.proto import TOLD, Node

ONNX_GATES = {"LSTM": "i o f c", "GRU": "z r h", "RNN": "h"}
TORCH_GATES = {"LSTM": "i f g o", "GRU": "r z n", "RNN": "h"}
DIRECTIONS = {"bidirectional": (False, True), "reverse": (True,)}  # whether each runs backwards


def recurrent(site: Site, node: Node, index: int) -> Draft | None:
    """One layer; both directions of a bidirectional one along the first axis of its tensors."""
    if TOLD in node.attributes:
        return told_cell(site, node, index)
    kernel, recurrent_kernel, bias = (site.constant(value) for value in (*node.inputs[1:4], "", "", "")[:3])
    if kernel is None or recurrent_kernel is None:
        return None
    has_bias = len(node.inputs) > 3 and node.inputs[3]
    if bias is None and has_bias:
        return None
    direction = str(node.attributes.get("direction", "forward"))
    shape = recurrent_kernel.shape
    attributes = {
        "units": shape[-1] if shape else int(node.attributes.get("hidden_size", 0)),
        **cell_activations(node),
        "use_bias": bias is not None,
        "direction": direction,
        "go_backwards": direction == "reverse",
        "gates": ONNX_GATES[node.op],
        "weights": "onnx",
        **_reset_after(node),
    }
    slots = (
        Slot("kernel", kernel, "d g i"),
        Slot("recurrent_kernel", recurrent_kernel, "d g u"),
        Slot("bias", bias, "d b") if bias else None,
    )
    # the input of both directions is turned to time first inside the layer's scope
    hint = node.inputs[0].rpartition("/")[0] if direction == "bidirectional" else node.inputs[0]
    return replace(draft(site, node, index, node.op, attributes, *slots), hint=hint)


def _reset_after(node: Node) -> dict[str, Any]:
    if node.op != "GRU":
        return {}
    return {"reset_after": bool(node.attributes.get("linear_before_reset", 0))}


def by_direction(site: Site, node: Node, index: int, whole: Draft) -> list[Draft]:
    """The layer itself, or one for each direction and what joins them.

    They are apart where their weights are torch's, put in order by the graph.
    """
    has_kernel = whole.op != "Opaque" and whole.slot("kernel") is not None
    cells = () if has_kernel else torch_cells(site, node)
    directions = DIRECTIONS.get(str(node.attributes.get("direction", "forward")), (False,))
    if not cells or len(cells) != len(directions):
        return [whole]
    pairs = zip(cells, directions, strict=True)
    layers = [_of_torch(site, node, index, cell, is_back) for cell, is_back in pairs]
    if len(layers) == 1:
        return layers
    ends = tuple(f"{node.outputs[0]}/{side}" for side in ("forward", "backward"))
    told = _given_to_both(site, node)
    halves = [
        replace(layer, inputs=layer.inputs[:1], outputs=(end,), shown="", ports=(0,), details=told)
        for layer, end in zip(layers, ends, strict=True)
    ]
    joined = replace(whole, op="Concat", inputs=ends, attributes={"axis": 1}, slots=())
    return [*halves, joined]


def _given_to_both(site: Site, node: Node) -> dict[str, Any]:
    """States and lengths of both directions, which no half is fed by itself."""
    names = [name_of(node, place) for place, value in enumerate(node.inputs) if site.net.is_data(value)]
    return {"given_to_both": tuple(name for name in names if name)} if any(names) else {}


def _of_torch(site: Site, node: Node, index: int, cell: TorchCell, is_back: bool) -> Draft:
    attributes = {
        "units": cell.recurrent_kernel.header.dims[1],
        **cell_activations(node),
        "use_bias": bool(cell.biases),
        "go_backwards": is_back,
        "gates": TORCH_GATES[node.op],
        "weights": "torch",
        **_reset_after(node),
    }
    biases = zip(("bias", "recurrent_bias"), cell.biases, strict=False)
    outputs = tuple(value for value in node.outputs if value)
    return Draft(
        op=node.op,
        class_name=node.op,
        nodes=(index,),
        inputs=site.data(node, index),
        outputs=outputs,
        shown=outputs[0],
        attributes=attributes,
        slots=(
            Slot("kernel", cell.kernel),
            Slot("recurrent_kernel", cell.recurrent_kernel),
            *(Slot(role, constant) for role, constant in biases),
        ),
        ports=ports_of(node),
    )


BUILDERS: dict[str, Builder] = {"LSTM": recurrent, "GRU": recurrent, "RNN": recurrent}
