"""Keras JSON files of small networks, written by hand.

Plans are made from shapes, so that no weights and no framework are needed.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from keras_files import functional, layer, source

Config = dict[str, Any]
Fed = dict[str, tuple[str, ...]]


def conv(name: str, filters: int, taps: int = 3, **options: Any) -> Config:
    given = {"strides": [1, 1], "padding": "same", "use_bias": False, **options}
    return layer("Conv2D", name, filters=filters, kernel_size=[taps, taps], **given)


def dense(name: str, units: int, **options: Any) -> Config:
    return layer("Dense", name, units=units, **options)


def wired(*layers: Config, **fed: tuple[str, ...]) -> Config:
    """Each layer reads the one before, but those of `fed`, which read the layers named there.

    The last one is the output.
    """
    names = [one["name"] for one in layers]
    before: Fed = {name: (last,) for last, name in pairwise(names)}
    calls = {
        name: [fed.get(name, before.get(name))]
        for name in names
        if name in fed or not _is_input(layers[names.index(name)])
    }
    return functional(layers, calls, [[names[-1], 0, 0]])


def _is_input(one: Config) -> bool:
    return bool(one["class_name"] == "InputLayer")


def residual(
    width: int = 8,
    classes: int = 10,
    channels: int = 3,
    taps: int = 3,
    blocks: int = 1,
    activation: str = "relu",
) -> Config:
    """A stem and `blocks` residual blocks of one width: all that they write must agree."""
    layers = [source("x", [16, 16, channels]), *_unit("stem", width, taps)]
    fed: Fed = {}
    last = "stem_relu"
    for n in range(blocks):
        layers += [*_unit(f"block{n}_a", width, taps), *_unit(f"block{n}_b", width, taps)[:2]]
        layers += [layer("Add", f"block{n}_add"), layer("Activation", f"block{n}_out", activation=activation)]
        fed |= {f"block{n}_a_conv": (last,), f"block{n}_add": (f"block{n}_b_bn", last)}
        last = f"block{n}_out"
    return wired(*layers, layer("GlobalAveragePooling2D", "pool"), dense("head", classes), **fed)


def _unit(name: str, width: int, taps: int) -> list[Config]:
    return [
        conv(f"{name}_conv", width, taps),
        layer("BatchNormalization", f"{name}_bn"),
        layer("ReLU", f"{name}_relu"),
    ]


def write(folder: Path, name: str, config: Config) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config))
    return path
