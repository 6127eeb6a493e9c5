"""Layers that Keras 3 does not have, rewritten: by rules/lowering, or by layers put in between."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from weightbridge.converting.hard_sigmoid import FACTOR, is_older
from weightbridge.converting.renamed import renamed
from weightbridge.converting.told_masks import with_masks
from weightbridge.converting.values import Said, note
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.branches import is_merge
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.dialects import Origin, applies, changed
from weightbridge.rules.dialects import Dialect, lowerings

OLDER = Origin((2,))
SCALED = "hard_sigmoid had the slope 0.2: what it reads is multiplied by 1.2"

STATE = "hard_sigmoid of Keras 2 on the state of a cell has no counterpart in Keras 3"
TIME_FIRST = "time before the batch (time_major) has no layer in Keras 3"
BRANCHES = "a Merge of Keras 1 that does not begin its model holds models, which is no layer of Keras 3"
BATCHES = "BatchNormalization of Keras 1 over samples or batches (mode 1, 2) has no layer in Keras 3"
OF_BATCHES = (1, 2)
OF_STATE = frozenset({"LSTM", "LSTMCell", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})


def rewritten(model: ConfigLayer, said: Said) -> ConfigLayer:
    """The model with every layer in a class that Keras 3 has, as far as a rule says which."""
    return _rewritten(with_masks(renamed(model, said), said), lowerings(), said)


def _rewritten(layer: ConfigLayer, rules: Iterable[Dialect], said: Said) -> ConfigLayer:
    for rule in rules:
        if applies(rule, layer, OLDER):
            note(said.rewritten, rule.cause, layer.name)
            layer = changed(rule, layer)
    _refuse(layer, said)
    layer = _with_backward_layer(layer)
    if is_older(layer.config.get("activation")) or is_older(layer.config.get("recurrent_activation")):
        note(said.rewritten, SCALED, layer.name)
    inner = tuple(part for one in layer.layers for part in _with_scaling(_rewritten(one, rules, said), layer))
    return replace(layer, layers=inner)


def _refuse(layer: ConfigLayer, said: Said) -> None:
    """Notes what would be another model without a word."""
    if layer.class_name in OF_STATE and is_older(layer.config.get("activation")):
        note(said.refused, STATE, layer.name)
    if layer.config.get("time_major") is True:
        note(said.refused, TIME_FIRST, layer.name)
    if layer.class_name == "BatchNormalization" and layer.config.get("mode") in OF_BATCHES:
        note(said.refused, BATCHES, layer.name)
    if is_merge(layer):
        note(said.refused, BRANCHES, layer.name)


def _with_backward_layer(layer: ConfigLayer) -> ConfigLayer:
    """Keras 3 lets the layer that it makes itself run backwards, also where the given one does already."""
    if layer.class_name != "Bidirectional" or layer.wrapped != ("layer",):
        return layer
    given = layer.layers[0]
    if not given.config.get("go_backwards"):
        return layer
    name = f"backward_{given.name}"
    config = MappingProxyType({**given.config, "name": name, "go_backwards": False})
    backward = replace(given, name=name, config=config)
    return replace(layer, layers=(given, backward), wrapped=("layer", "backward_layer"))


def _with_scaling(layer: ConfigLayer, model: ConfigLayer) -> tuple[ConfigLayer, ...]:
    """An activation alone has no weights to scale: a Rescaling stands before it."""
    if not _is_lone_activation(layer) or model.kind == "layer":
        return (layer,)
    names = {one.name for one in model.layers}
    name = f"{layer.name}_scale"
    while name in names:
        name += "_"
    config = MappingProxyType({"name": name, "scale": FACTOR, "offset": 0.0})
    scaling = ConfigLayer(name, "Rescaling", config, calls=layer.calls)
    calls = tuple(_fed_by(name, number, call) for number, call in enumerate(layer.calls))
    return scaling, replace(layer, calls=calls)


def _is_lone_activation(layer: ConfigLayer) -> bool:
    """Also one for every time step."""
    if layer.class_name == "TimeDistributed" and layer.layers:
        return _is_lone_activation(layer.layers[0])
    return layer.class_name == "Activation" and is_older(layer.config.get("activation"))


def _fed_by(name: str, number: int, call: Call) -> Call:
    return replace(call, inputs=(Reference(name, number, 0),))
