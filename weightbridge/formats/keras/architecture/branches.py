"""A Sequential of Keras 1 that begins with a Merge of branches -> the functional model that it is.

Keras 1 lists the branches inside the Merge and stores their layers beside the others, so that they keep their
names here. A layer that stands in two branches is one layer with two calls.
"""

from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from types import MappingProxyType

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.config import MODELS, ConfigLayer
from weightbridge.formats.keras.architecture.flow import implied_input, told_shape

JOINING = frozenset({"Merge", "Add", "Multiply", "Concatenate", "Average", "Maximum", "Dot"})


def joined(model: ConfigLayer, where: str) -> ConfigLayer:
    """The model, at any depth, with branches as layers of their own.

    Raises Corrupt for two layers of one name.
    """
    model = replace(model, layers=tuple(joined(layer, where) for layer in model.layers))
    if not _has_branches(model):
        return model
    built = _Built(where)
    end = built.run(model, None)
    config = MappingProxyType({"name": model.name, "trainable": model.config.get("trainable", True)})
    return replace(
        model,
        class_name="Functional",
        config=config,
        kind="functional",
        layers=tuple(built.layers.values()),
        inputs=tuple(Reference(name, 0, 0) for name in built.inputs),
        outputs=(end,),
        traits=model.traits - {"list-config"},
    )


def _has_branches(model: ConfigLayer) -> bool:
    return model.kind == "sequential" and bool(model.layers) and is_merge(model.layers[0])


def is_merge(layer: ConfigLayer) -> bool:
    """Whether a layer is a Merge that holds what it joins."""
    return layer.kind == "sequential" and layer.class_name in JOINING and bool(layer.layers)


def named_by_file(model: ConfigLayer, names: Iterable[str]) -> ConfigLayer:
    """The model with the names that the file has for nested models whose configuration has none (Keras 1).

    names: of the layers as they are stored, in the order of the model's.
    """
    known = {layer.name for layer in _stored(model) if "unnamed" not in layer.traits}
    free = [name for name in names if name not in known]
    unnamed = [layer for layer in _stored(model) if "unnamed" in layer.traits]
    return _renamed(model, iter(free)) if len(free) == len(unnamed) else model


def _stored(model: ConfigLayer) -> Iterator[ConfigLayer]:
    """The layers that Keras 1 stores: the branches of a Merge stand for it."""
    for layer in model.layers:
        if is_merge(layer):
            for branch in layer.layers:
                yield from _stored(branch) if branch.kind in MODELS else (branch,)
        else:
            yield layer


def _renamed(model: ConfigLayer, names: Iterator[str]) -> ConfigLayer:
    return replace(model, layers=tuple(_with_name(layer, names) for layer in model.layers))


def _with_name(layer: ConfigLayer, names: Iterator[str]) -> ConfigLayer:
    if is_merge(layer):
        branches = (_renamed(one, names) if one.kind in MODELS else one for one in layer.layers)
        return replace(layer, layers=tuple(branches))
    return replace(layer, name=next(names)) if "unnamed" in layer.traits else layer


@dataclass
class _Built:
    """The layers of the functional model, by their names, as they are collected."""

    where: str
    layers: dict[str, ConfigLayer] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)

    def run(self, model: ConfigLayer, fed: Reference | None) -> Reference:
        """Adds the layers of a Sequential one after another; fed: what the first one reads."""
        layers = list(model.layers)
        if fed is None and not is_merge(layers[0]) and layers[0].class_name != "InputLayer":
            layers.insert(0, self._input_of(layers[0]))
        for layer in layers:
            fed = self._one(layer, fed)
        assert fed is not None, f"{model.name} has no layer"
        return fed

    def _input_of(self, layer: ConfigLayer) -> ConfigLayer:
        if told_shape(layer) is None:
            message = f"a branch begins with {layer.name!r}, which does not say the shape of its input"
            raise Corrupt(message, where=self.where, fix="Save the model again")
        return implied_input(layer)

    def _one(self, layer: ConfigLayer, fed: Reference | None) -> Reference:
        if is_merge(layer):
            ends = tuple(self._branch(branch) for branch in layer.layers)
            return self._add(replace(layer, kind="layer", layers=()), ends)
        return self._add(layer, () if fed is None else (fed,))

    def _branch(self, branch: ConfigLayer) -> Reference:
        """What a branch ends with: the last layer of a model, or the layer that it is."""
        if branch.kind == "sequential":
            return self.run(branch, None)
        if branch.kind == "functional":
            return self._functional(branch)
        return self._one(branch, None) if branch.class_name == "InputLayer" else self._lone(branch)

    def _lone(self, branch: ConfigLayer) -> Reference:
        return self._one(branch, self._one(self._input_of(branch), None))

    def _functional(self, branch: ConfigLayer) -> Reference:
        for layer in branch.layers:
            self._put(layer)
        self._say_inputs(reference.layer for reference in branch.inputs)
        return branch.outputs[0]

    def _add(self, layer: ConfigLayer, fed: tuple[Reference, ...]) -> Reference:
        """One more call of a layer, unless it is called with the same already."""
        known = self.layers.get(layer.name)
        calls = known.calls if known is not None else ()
        call = Call(fed)
        if layer.class_name == "InputLayer":
            self._say_inputs([layer.name])
        elif call not in calls:
            calls = (*calls, call)
        self._put(replace(layer, calls=calls))
        return Reference(layer.name, calls.index(call) if calls else 0, 0)

    def _put(self, layer: ConfigLayer) -> None:
        known = self.layers.get(layer.name)
        if known is not None and (known.class_name, known.config) != (layer.class_name, layer.config):
            message = f"two layers of one model are called {layer.name!r}"
            raise Corrupt(message, where=self.where, fix="Give each layer its own name")
        self.layers[layer.name] = layer

    def _say_inputs(self, names: Iterable[str]) -> None:
        self.inputs += [name for name in names if name not in self.inputs]
