"""Small Keras files written by hand, without Keras: the layouts as Keras 1, 2 and 3 write them."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
Arrays = Mapping[str, np.ndarray]


def layer(
    class_name: str,
    name: str,
    *,
    module: str = "keras.layers",
    build: Sequence[int | None] | None = None,
    **config: Any,
) -> dict[str, Any]:
    """One layer of a config; `module=""` for the dialects before Keras 3."""
    found: dict[str, Any] = {"class_name": class_name, "config": {"name": name, **config}, "name": name}
    if module:
        found |= {"module": module, "registered_name": None}
    return found | ({"build_config": {"input_shape": list(build)}} if build else {})


def source(name: str, shape: Sequence[int | None], **options: Any) -> dict[str, Any]:
    return layer("InputLayer", name, batch_shape=[None, *shape], **options)


def sequential(*layers: dict[str, Any], name: str = "model", module: str = "keras") -> dict[str, Any]:
    return layer("Sequential", name, module=module, layers=list(layers))


def tensor(name: str, node: int = 0) -> dict[str, Any]:
    """How Keras 3 refers to the output of a layer's call."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None], "dtype": "float32", "keras_history": [name, node, 0]},
    }


def functional(
    layers: Sequence[dict[str, Any]],
    calls: Mapping[str, Sequence[Sequence[str]]],
    outputs: Sequence[Any],
    name: str = "model",
) -> dict[str, Any]:
    """calls: for each layer, what each of its calls is fed (names, or `name:call`)."""
    wired = [{**one, "inbound_nodes": [_node(fed) for fed in calls.get(one["name"], ())]} for one in layers]
    inputs = [[one["name"], 0, 0] for one in layers if one["class_name"] == "InputLayer"]
    return layer(
        "Functional",
        name,
        module="keras.src.models.functional",
        layers=wired,
        input_layers=inputs,
        output_layers=list(outputs),
    )


def _node(fed: Sequence[str]) -> dict[str, Any]:
    tensors = [tensor(*_reference(one)) for one in fed]
    return {"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}


def _reference(text: str) -> tuple[str, int]:
    name, _, call = text.partition(":")
    return name, int(call or 0)


def fill_groups(
    file: h5py.File, groups: Mapping[str, tuple[str, Sequence[np.ndarray]]], **options: Any
) -> None:
    """Keras 3's layout: storage path -> (the user's name, "" for none; variables in order)."""
    for path, (name, arrays) in groups.items():
        place = file.create_group(f"{path}/vars")
        if name:
            place.attrs["name"] = name
        for i, array in enumerate(arrays):
            place.create_dataset(str(i), data=array, **options)


def write_weights(path: Path, groups: Mapping[str, tuple[str, Sequence[np.ndarray]]], **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        fill_groups(file, groups, **options)
    return path


def write_keras(
    path: Path,
    config: Any,
    groups: Mapping[str, tuple[str, Sequence[np.ndarray]]],
    *,
    compression: int = zipfile.ZIP_STORED,
    version: str = "3.15.1",
) -> Path:
    body = io.BytesIO()
    with h5py.File(body, "w") as file:
        fill_groups(file, groups)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(
            "metadata.json", json.dumps({"keras_version": version, "date_saved": "2026-01-01@00:00:00"})
        )
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", body.getvalue())
    return path


def write_legacy(
    path: Path, layers: Mapping[str, Arrays], config: Any = None, *, version: str = "", backend: str = ""
) -> Path:
    """The legacy layout: layer -> {name of a weight: array}; a whole model where there is a config."""
    with h5py.File(path, "w") as file:
        group = file if config is None else file.create_group("model_weights")
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        group.attrs["layer_names"] = np.array([name.encode() for name in layers])
        for key, value in (("keras_version", version), ("backend", backend)):
            if value:
                group.attrs[key] = file.attrs[key] = value.encode()
        for name, arrays in layers.items():
            place = group.create_group(name)
            place.attrs["weight_names"] = (
                np.array([weight.encode() for weight in arrays], dtype="S") if arrays else []
            )
            for weight, array in arrays.items():
                place[weight] = array
    return path


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Random values, all different."""
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("f4")


def dense_groups(units: int = 3, inputs: int = 4) -> dict[str, tuple[str, Sequence[np.ndarray]]]:
    return {"layers/dense": ("head", (numbers(inputs, units), numbers(units)))}


def dense_config(units: int = 3, inputs: int = 4) -> dict[str, Any]:
    return sequential(source("x", [inputs]), layer("Dense", "head", units=units))
