"""A Keras model as it is put together: layers with free names, their calls, and weights to come."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from weightbridge.converting.from_graph.layout import Groups, Layout
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.values import Config, Said, Weight, note

LAYERS = "keras.layers"
UNFIT = re.compile(r"[^A-Za-z0-9_\-]+")  # torch, as a backend, takes no dot
Fed = Value | Sequence[Value]


def fitting_name(wanted: str) -> str:
    """A name that Keras takes."""
    return UNFIT.sub("_", wanted.strip("/")).lstrip("_-.") or "layer"


class Writer:
    """What was written so far."""

    def __init__(self) -> None:
        self.entries: dict[str, Config] = {}
        self.weights: list[Weight] = []
        self.said = Said()
        self.calls: list[tuple[str, int]] = []  # in the order in which they were written
        self.masks: dict[tuple[str, int], str] = {}  # which mask a call makes, or uses in the source
        self._numbers: dict[str, int] = {}  # the last one behind a name, of those that are taken
        self.arranged: dict[tuple[Value, Groups], Value] = {}  # what was brought into other axes once
        self.settled: set[str] = set()  # tensors of the source whose values stand in the configuration

    def name(self, wanted: str) -> str:
        """A name that Keras takes and no layer has: `outer/inner` -> `outer_inner`."""
        fit = fitting_name(wanted)
        name, n = fit, self._numbers.get(fit, 1)
        while name in self.entries:
            n += 1
            name = f"{fit}_{n}"
        self._numbers[fit] = n
        return name

    def layer(self, class_name: str, wanted: str, config: Mapping[str, Any], *fed: Fed) -> str:
        """A new layer, called with values; a list of values is one argument. Its name."""
        return self._put(LAYERS, class_name, wanted, config, [_argument(value) for value in fed], None)

    def operation(self, path: str, wanted: str, config: Mapping[str, Any], arguments: Sequence[Any]) -> str:
        """An operation as Keras itself saves `x + y`: `numpy.Add`. arguments: values, lists, constants."""
        module, _, class_name = path.rpartition(".")
        given = [_argument(argument) for argument in arguments]
        return self._put(f"keras.src.ops.{module}", class_name, wanted, config, given, class_name)

    def called_again(self, layer: str, *fed: Fed) -> int:
        """The number of a further call of a layer."""
        nodes = self.entries[layer]["inbound_nodes"]
        nodes.append({"args": [_argument(value) for value in fed], "kwargs": {}})
        self.calls.append((layer, len(nodes) - 1))
        return len(nodes) - 1

    def with_arguments(self, layer: str, keywords: Mapping[str, Any]) -> None:
        """Keyword arguments of a layer's last call."""
        given = {name: _argument(value) for name, value in keywords.items()}
        self.entries[layer]["inbound_nodes"][-1]["kwargs"] |= given

    def input(self, wanted: str, layout: Layout, dtype: str) -> Value:
        name = self.name(wanted)
        config = {"batch_shape": [None, *layout.shape[1:]], "dtype": dtype}
        self._put(LAYERS, "InputLayer", name, config, [], None)
        self.entries[name]["inbound_nodes"] = []
        self.calls.pop()
        return Value(name, 0, 0, layout, dtype)

    def has_activation(self, first: int) -> bool:
        """Whether a layer from this one on has an activation as a setting; so too where there is none."""
        made = list(islice(self.entries.values(), first, None))
        return not made or any("activation" in entry["config"] for entry in made)

    def weight(self, weight: Weight) -> None:
        self.weights.append(weight)

    def carried(self, tensor: str, sentence: str) -> None:
        """A tensor of the source becomes part of the configuration."""
        self.settled.add(tensor)
        self.rewrote(sentence, tensor)

    def fix(self, layer: str) -> None:
        """A layer whose weights are not trained."""
        self.entries[layer]["config"]["trainable"] = False

    def rewrote(self, sentence: str, layer: str) -> None:
        note(self.said.rewritten, sentence, layer)

    def refused(self, sentence: str, layer: str) -> None:
        note(self.said.refused, sentence, layer)

    def refuse_with(self, inner: "Writer") -> None:
        """What was refused in a model inside this one."""
        for sentence, layers in inner.said.refused.items():
            for layer in layers:
                self.refused(sentence, layer)

    def _put(
        self,
        module: str,
        class_name: str,
        wanted: str,
        config: Mapping[str, Any],
        arguments: list[Any],
        registered: str | None,
    ) -> str:
        name = self.name(wanted)
        self.entries[name] = {
            "module": module,
            "class_name": class_name,
            "config": {"name": name, **config},
            "registered_name": registered,
            "name": name,
            "inbound_nodes": [{"args": arguments, "kwargs": {}}],
        }
        self.calls.append((name, 0))
        return name


def reference(value: Value) -> list[Any]:
    return [value.layer, value.call, value.output]


def _argument(value: Any) -> Any:
    if isinstance(value, Value):
        shape = [None, *value.layout.shape[1:]]
        config = {"shape": shape, "dtype": value.dtype, "keras_history": reference(value)}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(value, list | tuple):
        return [_argument(part) for part in value]
    return value


def ends(values: Iterable[Value]) -> Any:
    """Inputs or outputs of a model: one is written alone, several as a list."""
    written = [reference(value) for value in values]
    return written[0] if len(written) == 1 else written
