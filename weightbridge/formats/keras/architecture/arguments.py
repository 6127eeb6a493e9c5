"""One entry of `inbound_nodes` -> what a layer is called with: its inputs in order, and constants.

Keras 1 and 2 nest lists (`["dense", 0, 0, {"axis": -1}]`).
Keras 3 has args and kwargs with `__keras_tensor__`.
"""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from weightbridge.boundary.records import dataclass

EMPTY: Mapping[str, Any] = MappingProxyType({})
RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "CuDNNLSTM", "CuDNNGRU",
    "ConvLSTM1D",
                       "ConvLSTM2D", "ConvLSTM3D"})  # fmt: skip
ATTENTION = frozenset({"MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention"})
STATE = "initial_state"
CONSTANT = "_CONSTANT_VALUE"  # older Keras: the first argument is no tensor


@dataclass(frozen=True, slots=True)
class Reference:
    """One output of one call of a layer; keyword: the argument that it is, "" for the first one."""

    layer: str
    node: int
    tensor: int
    keyword: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer: what it is fed, and its constant arguments.

    modern: as Keras 3 writes it: it counts the calls of nested models from 0, older Keras from 1.
    arguments: the positional ones, where one of them is a constant; `{"input": n}` stands for input n.
    keywords: those that are constants.
    """

    inputs: tuple[Reference, ...]
    modern: bool = False
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


def call_of(node: Any, class_name: str) -> Call:
    """The call that an entry of `inbound_nodes` describes."""
    reader = _Reader()
    is_modern = isinstance(node, dict) and "args" in node
    if is_modern:
        arguments = reader.positional(node["args"], class_name)
        reader.named(node.get("kwargs"))
    else:
        arguments = (reader.value(node, ""),)
    inputs = tuple(reader.inputs)
    if not is_modern and class_name in RECURRENT:
        inputs = _with_states(inputs)
    constants = () if all(_is_fed(argument) for argument in arguments) else arguments
    return Call(inputs, is_modern, constants, MappingProxyType(reader.keywords))


def references(value: Any) -> tuple[Reference, ...]:
    """Every tensor named in a structure, in order."""
    reader = _Reader()
    reader.value(value, "")
    return tuple(reader.inputs)


class _Reader:
    """Collects the tensors of a call in their order, and the keywords that hold none."""

    def __init__(self) -> None:
        self.inputs: list[Reference] = []
        self.keywords: dict[str, Any] = {}

    def positional(self, values: Any, class_name: str) -> tuple[Any, ...]:
        if not isinstance(values, list):
            return (self.value(values, ""),)
        if _is_reference(values):
            return (self.value(values, ""),)
        names = _signature(class_name)
        keywords = (*names, *("" for _ in values[len(names) :]))
        return tuple(self.value(value, keyword) for value, keyword in zip(values, keywords, strict=False))

    def named(self, values: Any) -> None:
        if not isinstance(values, dict):
            self.value(values, "")
            return
        if _is_keras_tensor(values):
            self.value(values, "")
            return
        for name, value in values.items():
            before = len(self.inputs)
            constant = self.value(value, f"{STATE}.0" if _is_one_state(name, value) else name)
            if len(self.inputs) == before and constant is not None:
                self.keywords[name] = constant

    def value(self, value: Any, keyword: str) -> Any:
        """The canonical form of an argument; `{"input": n}` where it is a tensor."""
        if isinstance(value, dict):
            return self._of_mapping(value, keyword)
        if not isinstance(value, list):
            return value
        if _is_reference(value):
            return self._tensor(value, keyword)
        if len(value) == 4 and value[0] == CONSTANT and isinstance(value[3], dict):
            constant = self.value(value[2], keyword)
            self.named(value[3])
            return constant
        inner = (f"{keyword}.{i}" if keyword else "" for i in range(len(value)))
        return tuple(self.value(item, name) for item, name in zip(value, inner, strict=True))

    def _tensor(self, reference: list[Any], keyword: str) -> dict[str, int]:
        place = len(self.inputs)
        self.inputs.append(Reference(reference[0], reference[1], reference[2], keyword))
        for keywords in reference[3:]:
            self.named(keywords)
        return {"input": place}

    def _of_mapping(self, value: dict[str, Any], keyword: str) -> Any:
        history = value["config"].get("keras_history") if _is_keras_tensor(value) else None
        if history:
            return self.value(history, keyword)
        parts = {str(key): self.value(part, keyword) for key, part in value.items()}
        config = parts.get("config")
        if not isinstance(config, dict):
            return parts
        match parts.get("class_name"):
            case "__slice__":
                return {"slice": (config.get("start"), config.get("stop"), config.get("step"))}
            case "__ellipsis__":
                return "..."
            case "__numpy__" | "__tensor__":
                return config.get("value")
        return parts


def _signature(class_name: str) -> tuple[str, ...]:
    """The names of a call's positional arguments, "" for the first one."""
    if class_name in ATTENTION:
        return "", "value", "key"
    if class_name in RECURRENT:
        return "", STATE, "mask"
    return ("",)


def _is_one_state(name: str, value: Any) -> bool:
    """A lone state is written as itself, or as a list of one."""
    return name == STATE and (isinstance(value, dict) or (isinstance(value, list) and _is_reference(value)))


def _with_states(inputs: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """Older Keras lists the initial states behind the sequence."""
    first, *states = inputs or (None,)
    if first is None or any(state.keyword for state in states):
        return inputs
    named = (
        Reference(state.layer, state.node, state.tensor, f"{STATE}.{i}") for i, state in enumerate(states)
    )
    return first, *named


def _is_fed(argument: Any) -> bool:
    """Whether an argument is a tensor, or a list of tensors."""
    if isinstance(argument, tuple):
        return all(_is_fed(part) for part in argument)
    return isinstance(argument, dict) and argument.keys() == {"input"}


def _is_keras_tensor(value: dict[str, Any]) -> bool:
    return value.get("class_name") == "__keras_tensor__" and isinstance(value.get("config"), dict)


def _is_reference(value: list[Any]) -> bool:
    """`[layer, node, tensor]`, with a fourth part for keyword arguments.

    `["_CONSTANT_VALUE", -1, x]` is none.
    """
    if not 3 <= len(value) <= 4 or not isinstance(value[0], str):
        return False
    numbers = value[1:3]
    if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in numbers):
        return False
    return len(value) == 3 or isinstance(value[3], dict)
