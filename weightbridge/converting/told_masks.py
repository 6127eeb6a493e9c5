"""Masks that Keras 3 does not hand on by itself, told as an argument.

A recurrent layer that is given states as well gets no mask from what it is fed (keras/src/layers/layer.py).
Older Keras handed it on. Which steps count is computed from what the mask came from.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.values import Said, note
from weightbridge.formats.keras.architecture.arguments import RECURRENT, STATE, Call, Reference
from weightbridge.formats.keras.architecture.calls import Calls, calls_of
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.evaluate.masks import PASSING

MODULE = "keras.src.ops.numpy"
TOLD = "Keras 3 hands no mask on to a layer that is given states: it is told the mask"


def with_masks(model: ConfigLayer, said: Said) -> ConfigLayer:
    """The model, at any depth, with masks as arguments where Keras 3 needs them."""
    model = replace(model, layers=tuple(with_masks(layer, said) for layer in model.layers))
    if model.kind != "functional" or any(call.modern for layer in model.layers for call in layer.calls):
        return model
    masks = _Masks(calls_of(model), {layer.name: layer for layer in model.layers})
    layers = [
        replace(layer, calls=tuple(masks.told(layer, call, said) for call in layer.calls))
        for layer in model.layers
    ]
    return replace(model, layers=(*layers, *masks.made.values()))


@dataclass
class _Masks:
    """The operations that compute masks, by what they read and what they compare it with."""

    calls: Calls
    layers: Mapping[str, ConfigLayer]
    made: dict[tuple[Reference, str], ConfigLayer] = field(default_factory=dict)

    def told(self, layer: ConfigLayer, call: Call, said: Said) -> Call:
        keywords = {reference.keyword.partition(".")[0] for reference in call.inputs}
        if layer.class_name not in RECURRENT or STATE not in keywords or "mask" in keywords:
            return call
        mask = self._mask_of(call.inputs[0])
        if mask is None:
            return call
        note(said.rewritten, TOLD, layer.name)
        return replace(call, inputs=(*call.inputs, replace(mask, keyword="mask")))

    def _mask_of(self, reference: Reference) -> Reference | None:
        """The mask that a value has, from the layer that makes it; None where there is none."""
        layer = self.layers[reference.layer]
        calls = layer.calls[max(self.calls.number(reference), 0) :]
        if not calls or not calls[0].inputs or reference.tensor:
            return None
        fed = replace(calls[0].inputs[0], keyword="")
        if layer.class_name == "Masking":
            kept = self._operation(layer, "NotEqual", fed, layer.config.get("mask_value", 0.0), {})
            return self._operation(layer, "Any", kept, None, {"axis": -1, "keepdims": False})
        if layer.class_name == "Embedding":
            is_masked = layer.config.get("mask_zero") is True
            return self._operation(layer, "NotEqual", fed, 0, {}) if is_masked else None
        return self._mask_of(fed) if _hands_on(layer) else None

    def _operation(
        self, layer: ConfigLayer, class_name: str, fed: Reference, other: Any, settings: Mapping[str, Any]
    ) -> Reference:
        key = (fed, str(other))
        if key not in self.made:
            name = f"{layer.name}_{class_name.lower()}"
            while name in self.layers or any(one.name == name for one in self.made.values()):
                name += "_"
            arguments = ({"input": 0},) if other is None else ({"input": 0}, other)
            config = MappingProxyType({"name": name, **settings})
            call = Call((fed,), arguments=arguments)
            made = ConfigLayer(name, class_name, config, "operation", MODULE, class_name, calls=(call,))
            self.made[key] = made
        return Reference(self.made[key].name, 0, 0)


def _hands_on(layer: ConfigLayer) -> bool:
    if layer.class_name in RECURRENT:
        inner = layer.layers[0].config if layer.class_name == "Bidirectional" else layer.config
        return inner.get("return_sequences") is True
    return layer.class_name in PASSING
