"""Where a module drops values in training: heard in a run as in training, put into a run for the exporter."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from weightbridge.errors import RunError
from weightbridge.formats.torch.modules.call import Example, raw

ATTENTION = "scaled_dot_product_attention"
WHOLE_ATTENTION = "multi_head_attention_forward"
RATES = {"dropout": 1, ATTENTION: 4, WHOLE_ATTENTION: 10}  # function -> the place of its rate
SWITCHES = {"dropout": 2, WHOLE_ATTENTION: 13}  # function -> the place of `training`
KEYWORDS = {"dropout": "p", ATTENTION: "dropout_p", WHOLE_ATTENTION: "dropout_p"}
RECURRENT = (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)
RECURRENT_NODES = ("LSTM", "GRU", "RNN")
RANDOM = frozenset({"bernoulli", "bernoulli_", "rand", "rand_like", "uniform_", "randperm", "randint"})
Heard = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Dropouts:
    """Each call that drops values in training, in order: the function, and the rate or 0.

    between: by the name of a recurrent part of several layers, the rate between them.
    is_random: whether other random numbers are drawn in training alone.
    """

    calls: Heard
    between: tuple[tuple[str, float], ...] = ()
    is_random: bool = False


def dropouts_of(module: Any, example: Example) -> Dropouts | None:
    """None where a run as in training calls other functions than one in evaluation."""
    evaluated = _heard(module, example, is_training=False)
    trained = _heard(module, example, is_training=True)
    if evaluated is None or trained is None or evaluated.functions != trained.functions:
        return None
    parts = [(name, part) for name, part in module.named_modules() if isinstance(part, RECURRENT)]
    between = ((name, float(part.dropout)) for name, part in parts if part.dropout and part.num_layers > 1)
    return Dropouts(tuple(trained.calls), tuple(between), trained.is_random and not evaluated.is_random)


class Putting(TorchFunctionMode):  # type: ignore[misc]  # torch is not there where types are checked
    """Each call drops values as it would in training."""

    def __init__(self, calls: Heard) -> None:
        super().__init__()
        self._calls = iter(calls)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, told = _name(function), dict(kwargs or {})
        if name in RATES:
            _, rate = next(self._calls)
            args = _set(args, told, RATES[name], KEYWORDS[name], rate)
            if name in SWITCHES:
                args = _set(args, told, SWITCHES[name], "training", rate > 0)
        return function(*args, **told)


def finish_dropouts(proto: Any, dropouts: Dropouts) -> None:
    """Each switch says that it is not trained; layers of recurrent parts get theirs between them."""
    nodes: list[Any] = []
    for node in proto.graph.node:
        if node.op_type == "Dropout":
            del node.input[2:]
        rate = _rate_before(node, dropouts)
        if rate:
            nodes += _dropout(node, rate)
        nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _rate_before(node: Any, dropouts: Dropouts) -> float:
    """Of what the second layer and those behind it read: `/r/LSTM_1` of a part `r`."""
    if node.op_type not in RECURRENT_NODES:
        return 0.0
    scope, _, own = node.name.strip("/").rpartition("/")
    is_later = own.removeprefix(f"{node.op_type}_").isdigit()
    return dict(dropouts.between).get(scope.replace("/", "."), 0.0) if is_later else 0.0


def _dropout(node: Any, rate: float) -> Sequence[Any]:
    name = f"{node.name}/dropout"
    ratio = onnx.helper.make_node("Constant", [], [f"{name}/rate"], value_float=rate)
    made = onnx.helper.make_node("Dropout", [node.input[0], f"{name}/rate"], [name], name=name)
    node.input[0] = name
    return ratio, made


class _Hearing(TorchFunctionMode):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, float]] = []
        self.is_random = False

    @property
    def functions(self) -> list[str]:
        return [name for name, _ in self.calls]

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, told = _name(function), kwargs or {}
        self.is_random = self.is_random or getattr(function, "__name__", "") in RANDOM
        if name in RATES:
            rate = _given(args, told, RATES[name], KEYWORDS[name], 0.5 if name == "dropout" else 0.0)
            is_on = name not in SWITCHES or _given(args, told, SWITCHES[name], "training", True)
            self.calls.append((name, float(rate) if is_on else 0.0))
        return function(*args, **told)


def _name(function: Any) -> str:
    name = getattr(function, "__name__", "")
    return name if function is getattr(functional, name, None) else ""


def _given(args: Sequence[Any], told: Any, place: int, keyword: str, usual: Any) -> Any:
    return args[place] if len(args) > place else told.get(keyword, usual)


def _set(args: Sequence[Any], told: dict[str, Any], place: int, keyword: str, value: Any) -> tuple[Any, ...]:
    if len(args) > place:
        return (*args[:place], value, *args[place + 1 :])
    told[keyword] = value
    return tuple(args)


def _heard(module: Any, example: Example, *, is_training: bool) -> _Hearing | None:
    hearing = _Hearing()
    with ExitStack() as stack:
        if is_training:
            stack.enter_context(_as_in_training(module))
        stack.enter_context(hearing)
        try:
            raw(module, example)
        except RunError:  # as in training it may want what an example does not give
            return None
    return hearing


@contextmanager
def _as_in_training(module: Any) -> Iterator[None]:
    """All but norms of batches; what it changes of itself is as it was afterwards."""
    parts = [part for part in module.modules() if not hasattr(part, "running_mean")]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    with torch.random.fork_rng(devices=[]):
        for part in parts:
            part.training = True
        try:
            yield
        finally:
            for part in parts:
                part.training = False
            for buffer, kept in buffers:
                buffer.copy_(kept)
