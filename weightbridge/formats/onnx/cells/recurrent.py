"""ONNX's LSTM, GRU and RNN as canonical layers: W, R and B with ONNX's gate order (i o f c; z r h)."""

from dataclasses import replace
from typing import Any

from weightbridge.formats.onnx.cells.gate_activations import cell_activations
from weightbridge.formats.onnx.cells.gates import TorchCell, torch_cells
from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, draft
from weightbridge.formats.onnx.proto import Node


def recurrent(site: Site, node: Node, index: int) -> Draft | None:
    """One layer, both directions of a bidirectional one along the first axis of its tensors (`direction` says
    so).
    """
    weights = [site.constant(v) for v in (*node.inputs[1:4], "", "", "")[:3]]
    kernel, recurrent_kernel, bias = weights
    if (
        kernel is None
        or recurrent_kernel is None
        or (bias is None and len(node.inputs) > 3 and node.inputs[3])
    ):
        return None
    direction = str(node.attributes.get("direction", "forward"))
    found: dict[str, Any] = {
        "units": recurrent_kernel.shape[-1]
        if recurrent_kernel.shape
        else int(node.attributes.get("hidden_size", 0)),
        **cell_activations(node),
        "use_bias": bias is not None,
        "direction": direction,
        "go_backwards": direction == "reverse",
        "gates": {"LSTM": "i o f c", "GRU": "z r h"}.get(node.op, "h"),
        "weights": "onnx",
    }
    if node.op == "GRU":
        found["reset_after"] = bool(node.attributes.get("linear_before_reset", 0))
    slots = (
        Slot("kernel", kernel, "d g i"),
        Slot("recurrent_kernel", recurrent_kernel, "d g u"),
        Slot("bias", bias, "d b") if bias else None,
    )
    hint = (
        node.inputs[0].rpartition("/")[0] if direction == "bidirectional" else node.inputs[0]
    )  # turned to time first inside the layer's scope
    return replace(draft(site, node, index, node.op, found, *slots), hint=hint)


def by_direction(site: Site, node: Node, index: int, whole: Draft) -> list[Draft]:
    """The layer itself; one for each direction, and what joins them, where their weights are torch's, put in
    order by the graph.
    """
    cells = (
        torch_cells(site, node)
        if whole.op == "Opaque" or "kernel" not in {s.role for s in whole.slots}
        else ()
    )
    directions = {"bidirectional": (False, True), "reverse": (True,)}.get(
        str(node.attributes.get("direction", "forward")), (False,)
    )
    if not cells or len(cells) != len(directions):
        return [whole]
    made = [
        _of_torch(site, node, index, cell, is_back) for cell, is_back in zip(cells, directions, strict=True)
    ]
    if len(made) == 1:
        return made
    ends = tuple(f"{node.outputs[0]}/{side}" for side in ("forward", "backward"))
    one, two = (replace(d, outputs=(end,), shown="") for d, end in zip(made, ends, strict=True))
    joined = replace(whole, op="Concat", inputs=ends, attributes={"axis": 1}, slots=())
    return [one, two, joined]


def _of_torch(site: Site, node: Node, index: int, cell: TorchCell, is_back: bool) -> Draft:
    found: dict[str, Any] = {
        "units": cell.recurrent_kernel.header.dims[1],
        **cell_activations(node),
        "use_bias": bool(cell.biases),
        "go_backwards": is_back,
        "gates": {"LSTM": "i f g o", "GRU": "r z n"}.get(node.op, "h"),
        "weights": "torch",
    }
    if node.op == "GRU":
        found["reset_after"] = bool(node.attributes.get("linear_before_reset", 0))
    biases = [Slot(role, c) for role, c in zip(("bias", "recurrent_bias"), cell.biases, strict=False)]
    outputs = tuple(v for v in node.outputs if v)
    slots = (Slot("kernel", cell.kernel), Slot("recurrent_kernel", cell.recurrent_kernel), *biases)
    return Draft(node.op, node.op, (index,), site.data(node, index)[:1], outputs, outputs[0], found, slots)


BUILDERS: dict[str, Builder] = {"LSTM": recurrent, "GRU": recurrent, "RNN": recurrent}
