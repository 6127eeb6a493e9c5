"""ONNX's LSTM, GRU and RNN as canonical layers: W, R and B with ONNX's gate order (i o f c; z r h)."""

from dataclasses import replace
from typing import Any

from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, draft
from weightbridge.formats.onnx.proto import Node

DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
NAMES = {"HardSigmoid": "hard_sigmoid", "LeakyRelu": "leaky_relu", "ScaledTanh": "scaled_tanh", "Softsign": "softsign"}


def recurrent(site: Site, node: Node, index: int) -> Draft | None:
    """One layer, both directions of a bidirectional one along the first axis of its tensors (`direction` says so)."""
    weights = [site.constant(v) for v in (*node.inputs[1:4], "", "", "")[:3]]
    kernel, recurrent_kernel, bias = weights
    if kernel is None or recurrent_kernel is None:
        return None
    direction = str(node.attributes.get("direction", "forward"))
    given = tuple(node.attributes.get("activations") or DEFAULTS[node.op])
    found: dict[str, Any] = {
        "units": recurrent_kernel.shape[-1] if recurrent_kernel.shape else int(node.attributes.get("hidden_size", 0)),
        "activation": _name(given[0] if node.op == "RNN" else given[1 % len(given)]),
        "use_bias": bias is not None,
        "direction": direction,
        "go_backwards": direction == "reverse",
        "gates": {"LSTM": "i o f c", "GRU": "z r h"}.get(node.op, "h"),
        "weights": "onnx",
    }
    if node.op != "RNN":
        found["recurrent_activation"] = _name(given[0])
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


def _name(activation: str) -> str:
    return NAMES.get(activation, activation.lower())


BUILDERS: dict[str, Builder] = {"LSTM": recurrent, "GRU": recurrent, "RNN": recurrent}
