"""Masks as arguments: each recurrent layer with states is told the mask of what it reads."""

from types import MappingProxyType

from weightbridge.converting.told_masks import with_masks
from weightbridge.converting.values import Said
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.config import ConfigLayer


def one(name: str, class_name: str, *fed: Reference, **config: float) -> ConfigLayer:
    calls = (Call(fed),) if fed else ()
    return ConfigLayer(name, class_name, MappingProxyType({"name": name, **config}), calls=calls)


def gru(name: str, masked: str) -> ConfigLayer:
    return one(name, "GRU", Reference(masked, 0, 0), Reference("h", 0, 0, "initial_state"))


def test_two_masks_of_one_value_are_two() -> None:
    x = Reference("x", 0, 0)
    layers = (
        *(one(name, "InputLayer") for name in "xh"),
        *(one(f"mask{n}", "Masking", x, mask_value=float(n)) for n in range(2)),
        *(gru(f"gru{n}", f"mask{n}") for n in range(2)),
        gru("again", "mask1"),
    )
    model = ConfigLayer("model", "Functional", MappingProxyType({}), kind="functional", layers=layers)
    made = {layer.name: layer for layer in with_masks(model, Said()).layers}
    told = [made[name].calls[0].inputs[-1] for name in ("gru0", "gru1", "again")]
    assert [reference.keyword for reference in told] == ["mask"] * 3
    compared = [made[made[reference.layer].calls[0].inputs[0].layer] for reference in told]
    assert [layer.calls[0].arguments[1] for layer in compared] == [0.0, 1.0, 1.0]
    assert len(made) == len(layers) + 4
