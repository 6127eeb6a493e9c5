"""The masks that Keras hands on by itself, ended where the source does not mask.

Keras hands a mask from layer to layer (keras/src/layers/layer.py); a graph says of each layer alone which
steps count. In front of a call that would use a mask that the source does not give it, a Reshape to the same
shape ends it: Keras's Reshape hands no mask on.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.sequences.handing import Call, Mask, Reference, given_mask, uses
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.writer import Writer
from weightbridge.converting.values import Config
from weightbridge.errors import Unsupported

ENDED = "Keras hands masks on where the source does not mask: a Reshape to the same shape ends them"


def end_masks(writer: Writer) -> None:
    """Raises Unsupported where a call would not get the mask that it has in the source."""
    if writer.masks:
        _Ending(writer).end_all()


class _Ending:
    """masks: of the values so far, by who gives them."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.masks: dict[Reference, Mask] = {}
        self.ended: dict[Reference, Config] = {}

    def end_all(self) -> None:
        for name, number in tuple(self.writer.calls):
            call = Call(self.writer.entries[name], number)
            fed = self._fed(call)
            if uses(call, fed):
                self._settle(call, next(iter(fed), None))
            self.masks |= given_mask(call, self._fed(call), self.writer.masks.get((name, number)))

    def _fed(self, call: Call) -> list[Mask]:
        return [self.masks.get(_reference(tensor)) for tensor in _tensors(call.arguments)]

    def _settle(self, call: Call, handed: Mask) -> None:
        """The call uses the mask that it has in the source, or none."""
        name, wanted = call.name, self.writer.masks.get((call.name, call.number))
        if wanted is None:
            call.arguments[:] = [self._without(argument, name) for argument in call.arguments]
        elif handed != wanted:
            raise Unsupported(f"the mask of {name} in the source is not the one that Keras hands on to it")

    def _without(self, argument: Any, name: str) -> Any:
        if isinstance(argument, list):
            return [self._without(part, name) for part in argument]
        if not _is_tensor(argument) or self.masks.get(_reference(argument)) is None:
            return argument
        fed = _reference(argument)
        if fed not in self.ended:
            self.ended[fed] = self._reshaped(argument, name)
            self.writer.rewrote(ENDED, fed[0])
        return self.ended[fed]

    def _reshaped(self, tensor: Config, name: str) -> Config:
        told = tensor["config"]
        shape = [-1 if n is None else n for n in told["shape"][1:]]
        if shape.count(-1) > 1:
            raise Unsupported(f"the mask handed on to {name} cannot be ended: two lengths are not known")
        value = Value(*_reference(tensor), plain(told["shape"]), told["dtype"])
        made = self.writer.layer("Reshape", f"{name}_unmasked", {"target_shape": shape}, value)
        return {**tensor, "config": {**told, "keras_history": [made, 0, 0]}}


def _tensors(arguments: Sequence[Any]) -> Iterator[Config]:
    for argument in arguments:
        if isinstance(argument, list):
            yield from _tensors(argument)
        elif _is_tensor(argument):
            yield argument


def _is_tensor(argument: Any) -> bool:
    return isinstance(argument, dict) and argument.get("class_name") == "__keras_tensor__"


def _reference(tensor: Config) -> Reference:
    layer, call, output = tensor["config"]["keras_history"]
    return layer, call, output
