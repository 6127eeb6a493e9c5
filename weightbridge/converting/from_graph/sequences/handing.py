"""How Keras's layers use masks and hand them on (`call` and `compute_mask` in keras/src/layers)."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.writer import LAYERS
from weightbridge.converting.values import Config

Mask = str | None  # which mask a value has; two values with the same one are masked alike
Reference = tuple[str, int, int]

RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "Bidirectional"})
ATTENTION = frozenset({"MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"})
USING = RECURRENT | ATTENTION | {"Softmax", "GlobalAveragePooling1D", "Maximum", "Minimum"}
MERGES = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
ENDING = (
    ATTENTION  # theirs is the query's, which is ended in front of them
    | {"Dot", "Embedding", "Flatten", "Permute", "RepeatVector", "Reshape", "EinsumDense", "Resizing"}
    | {"GlobalAveragePooling1D", "UnitNormalization"}
)
SPATIAL = ("Conv", "DepthwiseConv", "SeparableConv", "Cropping", "ZeroPadding", "UpSampling", "MaxPooling")
SPATIAL_ENDING = (*SPATIAL, "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling")
SEQUENCE = 3  # axes


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer, as the configuration has it."""

    entry: Config
    number: int

    @property
    def name(self) -> str:
        return str(self.entry["name"])

    @property
    def class_name(self) -> str:
        return str(self.entry["class_name"])

    @property
    def config(self) -> Mapping[str, Any]:
        """A Bidirectional's says what its forward layer's says."""
        config: Mapping[str, Any] = self.entry["config"]
        return config["layer"]["config"] if self.class_name == "Bidirectional" else config

    @property
    def arguments(self) -> list[Any]:
        arguments: list[Any] = self.entry["inbound_nodes"][self.number]["args"]
        return arguments

    @property
    def keywords(self) -> Mapping[str, Any]:
        keywords: Mapping[str, Any] = self.entry["inbound_nodes"][self.number]["kwargs"]
        return keywords


def uses(call: Call, fed: Sequence[Mask]) -> bool:
    """Whether it computes by a mask that it is handed; one that it is told goes before."""
    if call.entry["module"] != LAYERS or "mask" in call.keywords:
        return False
    if call.class_name in RECURRENT:
        return "initial_state" not in call.keywords
    if not any(fed):
        return False
    if call.class_name == "Concatenate":
        return _rank(call) != SEQUENCE or _is_along_steps(call)
    if call.class_name == "TimeDistributed":
        return call.entry["config"]["layer"]["class_name"] in USING | {"Functional"}
    return call.class_name in USING


def _rank(call: Call) -> int:
    return len(call.arguments[0][0]["config"]["shape"])


def _is_along_steps(call: Call) -> bool:
    return call.entry["config"]["axis"] not in (-1, SEQUENCE - 1)


def given_mask(call: Call, fed: Sequence[Mask], told: Mask) -> dict[Reference, Mask]:
    """The masks of what it gives. told: the one that it has in the source."""
    mask = _handed_on(call, fed, told)
    return {} if mask is None else {(call.name, call.number, 0): mask}


def _handed_on(call: Call, fed: Sequence[Mask], told: Mask) -> Mask:
    name = call.class_name
    if _is_ending(call):
        return None
    if name == "Masking":
        return told
    first = next(iter(fed), None)
    if name in RECURRENT:
        mask = told if "mask" in call.keywords else first
        return mask if call.config["return_sequences"] else None
    return _joined(call, fed) if name in MERGES or name == "Concatenate" else first


def _is_ending(call: Call) -> bool:
    name = call.class_name
    return call.entry["module"] != LAYERS or name in ENDING or name.startswith(SPATIAL_ENDING)


def _joined(call: Call, fed: Sequence[Mask]) -> Mask:
    """The mask that all have, else one by itself; a sum has none where one of its values has none."""
    masks = {*fed}
    if len(masks) == 1:
        return fed[0]
    return None if None in masks and call.class_name in MERGES else f"{call.name}/{call.number}"
