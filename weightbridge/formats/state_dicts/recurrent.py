"""torch's recurrent modules in a state dict: one layer and direction of an LSTM, GRU or RNN."""

import re
from typing import Any

from weightbridge.formats.state_dicts.modules import Module, Shapes, gates_of

RECURRENT = re.compile(r"(weight|bias)_(ih|hh)(_l\d+)?(_reverse)?$")
ROLES = {
    ("weight", "ih"): "kernel",
    ("weight", "hh"): "recurrent_kernel",
    ("bias", "ih"): "bias",
    ("bias", "hh"): "recurrent_bias",
}


def recurrent_module(shapes: Shapes) -> Module:
    """One layer of torch's LSTM, GRU or RNN: the recurrent weight has a row for each gate's unit."""
    matches = {part: match for part in shapes if (match := RECURRENT.match(part))}
    roles = {part: ROLES[match[1], match[2]] for part, match in matches.items()}
    hidden = next((shapes[part] for part, role in roles.items() if role == "recurrent_kernel"), ())
    op, gates = gates_of(hidden[1], hidden[0]) if len(hidden) == 2 else gates_of(0, 0)
    attributes: dict[str, Any] = {}
    if gates:
        has_bias = "bias" in roles.values()
        attributes = {"units": hidden[1], "use_bias": has_bias, "gates": gates, "weights": "torch"}
    if op == "GRU":
        attributes["reset_after"] = True
    if any(part.endswith("_reverse") for part in shapes):
        attributes["go_backwards"] = True
    return Module(op, attributes, roles)
