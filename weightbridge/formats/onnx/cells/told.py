"""A recurrent node with its weights as Keras has them, put in by readers whose formats have no such operator.

Inputs as ONNX's own nodes have them, without an axis of directions: the sequence (time first), kernel (i g),
recurrent kernel (u g), bias, -, the states, -, and the bias of the recurrent product.
Outputs: the sequence in its own order, the hidden state, the cell's state.
"""

from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Draft, Site, Slot, draft
from weightbridge.formats.onnx.proto import TOLD, Node
from weightbridge.model.activations import Activation

STATE, SECOND_BIAS = 5, 8  # places of inputs
PLACES = {"kernel": 1, "recurrent_kernel": 2, "bias": 3, "recurrent_bias": SECOND_BIAS}
AXES = {"kernel": "i g", "recurrent_kernel": "u g"}


@dataclass(frozen=True, slots=True)
class CellTold:
    """gates: as the weights are stored. limit: of the cell's state, whatever it would be; 0 for none."""

    gates: str
    activation: Activation
    recurrent_activation: Activation | None = None
    reset_after: bool | None = None
    go_backwards: bool = False
    limit: float = 0.0


def told_cell(site: Site, node: Node, index: int) -> Draft | None:
    """The layer; None where its weights are no tensors of the file."""
    told: CellTold = node.attributes[TOLD]
    inputs = (*node.inputs, *("" for _ in range(SECOND_BIAS)))
    given = {role: inputs[place] for role, place in PLACES.items() if inputs[place]}
    constants = {role: c for role, value in given.items() if (c := site.constant(value)) is not None}
    if len(constants) < len(given) or not AXES.keys() <= constants.keys():
        return None
    shape = constants["recurrent_kernel"].shape or (0,)
    attributes = {"units": shape[0], **_attributes(told), "use_bias": "bias" in constants}
    slots = (Slot(role, constant, AXES.get(role, "")) for role, constant in constants.items())
    made = draft(site, node, index, node.op, attributes, *slots)
    return replace(made, details={**made.details, "state_limit": told.limit}) if told.limit else made


def _attributes(told: CellTold) -> dict[str, Any]:
    attributes = {
        "activation": told.activation,
        "recurrent_activation": told.recurrent_activation,
        "go_backwards": told.go_backwards,
        "gates": told.gates,
        "weights": "keras",
        "reset_after": told.reset_after,
    }
    return {name: value for name, value in attributes.items() if value is not None}
