"""Files of Keras 1 with several branches, written by hand: Merge inside a Sequential, and called."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras_files import numbers, write_legacy

Entry = dict[str, Any]
SHAPES: Mapping[str, Mapping[str, Callable[[int, int], tuple[int, ...]]]] = {
    "Dense": {"W": lambda inputs, units: (inputs, units), "b": lambda _, units: (units,)},
    "Embedding": {"W": lambda inputs, units: (inputs, units)},
}


def entry(class_name: str, name: str, **config: Any) -> Entry:
    return {"class_name": class_name, "config": {"name": name, **config}}


def dense(name: str, units: int, inputs: int | None = None, **config: Any) -> Entry:
    first = {} if inputs is None else {"batch_input_shape": [None, inputs], "input_dim": inputs}
    told = {"output_dim": units, "init": "glorot_uniform", "activation": "tanh", "bias": True, **first}
    return entry("Dense", name, **{**told, **config})


def branch(*layers: Entry) -> Entry:
    """Keras 1 does not say the name of a Sequential inside another."""
    return {"class_name": "Sequential", "config": list(layers)}


def merge(name: str, mode: str, *branches: Entry, **config: Any) -> Entry:
    told = {"mode": mode, "mode_type": "raw", "concat_axis": -1, "dot_axes": -1, "output_shape": None}
    inside = {"layers": list(branches)} if branches else {}
    return entry("Merge", name, **{**told, "output_shape_type": "raw", "arguments": {}, **config, **inside})


def called(layer: Entry, *fed: Sequence[Any]) -> Entry:
    """A layer of a functional model, with what its one call is fed."""
    return {**layer, "name": layer["config"]["name"], "inbound_nodes": [list(map(list, fed))] if fed else []}


def model(layers: Sequence[Entry], inputs: Sequence[str], outputs: Sequence[str]) -> Entry:
    ends = {"input_layers": [[n, 0, 0] for n in inputs], "output_layers": [[n, 0, 0] for n in outputs]}
    return {"class_name": "Model", "config": {"name": "model_1", "layers": list(layers), **ends}}


def write_branched(
    path: Path,
    config: Entry,
    widths: Mapping[str, tuple[int, int]],
    groups: Mapping[str, str] | None = None,
) -> Path:
    """widths: inputs and units of every layer with weights, in the order in which they are stored.

    groups: the group of a layer, where it is not its own.
    """
    classes = {one["config"]["name"]: one["class_name"] for one in _leaves(config)}
    held = {name: _weights(name, classes[name], *sizes) for name, sizes in widths.items()}
    weights = {(groups or {}).get(name, name): arrays for name, arrays in held.items()}
    return write_legacy(path, weights, config, version="1.2.2", backend="tensorflow")


def _weights(name: str, class_name: str, inputs: int, units: int) -> dict[str, np.ndarray]:
    shapes = SHAPES[class_name]
    return {
        f"{name}_{role}": numbers(*shape(inputs, units), seed=len(name) + i) * 0.7
        for i, (role, shape) in enumerate(shapes.items())
    }


def _leaves(value: Entry) -> list[Entry]:
    config = value["config"]
    inner = config if isinstance(config, list) else config.get("layers", [])
    own = [] if isinstance(config, list) else [value]
    return [*own, *(leaf for one in inner for leaf in _leaves(one))]


A, B = branch(dense("a", 4, 3)), branch(dense("b", 4, 5))
WIDE: Mapping[str, tuple[int, int]] = {"a": (3, 4), "b": (5, 4)}
NESTED = branch(merge("inner", "sum", A, B), dense("middle", 3))
SIAMESE = branch(dense("shared", 4, 3)), branch(dense("shared", 4, 3), dense("more", 4))
MODES = {"sum": 4, "mul": 4, "concat": 8, "ave": 4, "max": 4}
Case = tuple[Entry, Mapping[str, tuple[int, int]]]
CASES: dict[str, Case] = {
    **{
        f"merge-{mode}": (branch(merge("m", mode, A, B), dense("end", 2)), {**WIDE, "end": (width, 2)})
        for mode, width in MODES.items()
    },
    "merge-dot": (
        branch(merge("m", "dot", A, B, dot_axes=[1, 1]), dense("end", 2)),
        {**WIDE, "end": (1, 2)},
    ),
    "merge-cos": (
        branch(merge("m", "cos", A, B, dot_axes=[1, 1]), entry("Flatten", "f"), dense("end", 2)),
        {**WIDE, "end": (1, 2)},
    ),
    "merge-nested": (
        branch(merge("outer", "concat", NESTED, branch(dense("c", 2, 6))), dense("end", 2)),
        {**WIDE, "middle": (4, 3), "c": (6, 2), "end": (5, 2)},
    ),
    "merge-shared": (
        branch(merge("m", "sum", *SIAMESE), dense("end", 2)),
        {"shared": (3, 4), "more": (4, 4), "end": (4, 2)},
    ),
    "merge-words": (
        branch(
            merge(
                "m",
                "concat",
                branch(
                    entry(
                        "Embedding",
                        "words",
                        input_dim=11,
                        output_dim=4,
                        init="uniform",
                        input_dtype="int32",
                        batch_input_shape=[None, 6],
                        input_length=6,
                    ),
                    entry("Flatten", "flat"),
                ),
                B,
            ),
            entry("Dropout", "drop", p=0.5),
            dense("end", 2, activation="softmax"),
        ),
        {"words": (11, 4), "b": (5, 4), "end": (28, 2)},
    ),
    "merge-called": (
        model(
            [
                called(entry("InputLayer", "x", batch_input_shape=[None, 3], input_dtype="float32")),
                called(entry("InputLayer", "y", batch_input_shape=[None, 5], input_dtype="float32")),
                called(dense("a", 4), ["x", 0, 0]),
                called(dense("b", 4), ["y", 0, 0]),
                called(merge("m", "concat"), ["a", 0, 0], ["b", 0, 0]),
                called(merge("n", "mul"), ["a", 0, 0], ["b", 0, 0]),
                called(dense("end", 2), ["m", 0, 0]),
            ],
            ["x", "y"],
            ["end", "n"],
        ),
        {**WIDE, "end": (8, 2)},
    ),
}


def write_case(path: Path, name: str) -> Path:
    return write_branched(path, *CASES[name])
