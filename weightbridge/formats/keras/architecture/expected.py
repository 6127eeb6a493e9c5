"""The shapes of weights that an architecture asks for, from configs and input shapes.

What a file without weights would hold.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from weightbridge.errors import Unsupported
from weightbridge.formats.containers import Region
from weightbridge.formats.hdf5.tree import Dataset
from weightbridge.formats.keras.architecture.attributes import attributes
from weightbridge.formats.keras.architecture.classes import CLASSES, roles, variable_name
from weightbridge.formats.keras.architecture.faults import sensible
from weightbridge.formats.keras.architecture.flow import Node
from weightbridge.formats.keras.variables.stored import Shapes, Stored, Variable
from weightbridge.formats.keras.variables.tensors import STATISTICS
from weightbridge.formats.keras.variables.tree import is_custom
from weightbridge.model.graph import Shape
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import CONVOLUTIONS, NORMS, RECURRENT

Found = Mapping[str, Any]
Expected = dict[str, tuple[int, ...]]
# Classes of Keras's own that are no public layers: the key of the config that tells each variable's length.
UNLISTED: Mapping[str, Mapping[str, str]] = {"LayerScale": {"gamma": "projection_dim"}}
EMBEDDED = ("embeddings", "reverse_embeddings")
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


class ExpectedStore:
    """Gives each layer the weights that it would have, where their shapes are known.

    Nothing can be loaded.
    """

    def __init__(self, where: str) -> None:
        self.region = Region(Path(where), 0, 0, where)

    def take(self, node: Node, shapes: Shapes) -> Stored:
        layer = node.layer
        if is_custom(node) or node.op or layer.kind == "operation":
            return Stored(class_name=layer.class_name)
        with sensible(node, self.region.label):
            entry = CLASSES.get(layer.class_name)
            if entry is not None and entry.op == "Attention":
                return Stored(class_name=layer.class_name, parts=self._projections(node, shapes))
            names = roles(layer.class_name, layer.config) or tuple(UNLISTED.get(layer.class_name, {}))
            fed = shapes[0] if shapes else None
            found = expected_shapes(layer.class_name, layer.config, fed) if names else {}
        variables = tuple(
            self._variable(variable_name(layer.class_name, role), role, found[role])
            for role in names
            if role in found
        )
        return Stored(class_name=layer.class_name, variables=variables)

    def rest(self) -> tuple[Stored, ...]:
        return ()

    def tensor(self, layer: str, variable: Variable, trainable: bool) -> Tensor:
        name = f"{layer}/{variable.name}"

        def load() -> NoReturn:
            raise Unsupported(
                "a Keras JSON holds no weights",
                where=f"{self.region.label}: {name}",
                fix="Give the file with the weights",
            )

        kept = trainable and not variable.role.startswith("moving_")
        return Tensor(name, variable.role, variable.dataset.shape, "float32", name, load, kept)

    def _variable(self, name: str, role: str, shape: tuple[int, ...]) -> Variable:
        return Variable(name, role, Dataset(name, shape, np.dtype("float32"), None, 0, self.region))

    def _projections(self, node: Node, shapes: Shapes) -> tuple[Stored, ...]:
        found = attributes("Attention", node.layer.class_name, node.layer.config, None)
        heads, sizes = found["heads"], _sizes_by_keyword(node, shapes)
        query = sizes.get("query", sizes.get(""))
        value = sizes.get("value", query)
        key = sizes.get("key", value)
        if None in (query, value, key):
            return ()
        kept = found.get("key_value_heads", heads)
        wanted = {
            "query": (query, heads, found["key_dim"]),
            "key": (key, kept, found["key_dim"]),
            "value": (value, kept, found["value_dim"]),
        }
        parts = [self._dense(name, shape, shape[1:], found) for name, shape in wanted.items()]
        output = found.get("output_shape", (query,))
        kernel = (heads, found["value_dim"], *output)
        return (*parts, self._dense("attention_output", kernel, output, found))

    def _dense(self, name: str, kernel: tuple[Any, ...], bias: tuple[Any, ...], found: Found) -> Stored:
        variables = [self._variable("kernel", "kernel", kernel)] + (
            [self._variable("bias", "bias", bias)] if found["use_bias"] else []
        )
        return Stored(name, "EinsumDense", tuple(variables))


def _sizes_by_keyword(node: Node, shapes: Shapes) -> dict[str, int | None]:
    """How wide each argument of attention is."""
    widths = [shape[-1] if shape else None for shape in shapes]
    keywords = [source.keyword for source in node.sources] or [""]
    return dict(zip(keywords, widths, strict=False))


def expected_shapes(class_name: str, config: Mapping[str, Any], fed: Shape | None) -> Expected:
    """Role -> shape; {} where the input's shape does not tell."""
    if class_name in UNLISTED:
        return {role: (int(config[key]),) for role, key in UNLISTED[class_name].items()}
    op = CLASSES[class_name].op
    rule = RULES.get(op)
    if op == "Embedding":
        return dict.fromkeys(EMBEDDED, (int(config["input_dim"]), int(config["output_dim"])))
    if rule is None or fed is None:
        return {}
    found = attributes(op, class_name, config, fed)
    shapes = rule({**found, "class_name": class_name, "op": op, "config": config}, fed)
    return {role: shape for role, shape in shapes.items() if all(isinstance(n, int) for n in shape)}


def _conv(found: Found, fed: Shape) -> dict[str, Any]:
    kernel, seen = found["kernel_size"], fed[0] if found["data_format"] == "channels_first" else fed[-1]
    if seen is None:
        return {}
    many = found.get("depth_multiplier", 1) * seen
    match found["op"]:
        case "Conv":
            return {
                "kernel": (*kernel, seen // found["groups"], found["filters"]),
                "bias": (found["filters"],),
            }
        case "ConvTranspose":
            return {"kernel": (*kernel, found["filters"], seen), "bias": (found["filters"],)}
        case "DepthwiseConv":
            return {"kernel": (*kernel, seen, found["depth_multiplier"]), "bias": (many,)}
    pointwise = (*(1 for _ in kernel), many, found["filters"])
    return {
        "depthwise_kernel": (*kernel, seen, found["depth_multiplier"]),
        "pointwise_kernel": pointwise,
        "bias": (found["filters"],),
    }


def _dense(found: Found, fed: Shape) -> dict[str, Any]:
    return {"kernel": (fed[-1], found["units"]), "bias": (found["units"],)}


def _norm(found: Found, fed: Shape) -> dict[str, Any]:
    axes = found["axis"] if isinstance(found["axis"], tuple) else (found["axis"],)
    shape = tuple(fed[a] if a < 0 else fed[a - 1] for a in axes)
    return dict.fromkeys(("gamma", "beta", *STATISTICS), shape)


def _recurrent(found: Found, fed: Shape) -> dict[str, Any]:
    units, gates = found["units"], GATES[found["op"]]
    wide = gates * units
    bias = (
        (2 * wide,)
        if found["class_name"].startswith("CuDNN")
        else (2, wide)
        if found.get("reset_after")
        else (wide,)
    )
    return {"kernel": (fed[-1], wide), "recurrent_kernel": (units, wide), "bias": bias}


def _prelu(found: Found, fed: Shape) -> dict[str, Any]:
    shared = found.get("shared_axes", ())
    return (
        {"alpha": tuple(1 if i + 1 in shared else n for i, n in enumerate(fed))}
        if found["class_name"] == "PReLU"
        else {}
    )


def _einsum(found: Found, fed: Shape) -> dict[str, Any]:
    """Sizes of the kernel's axes from those of the input and of the config's output shape."""
    inputs, _, rest = found["equation"].partition(",")
    kernel, _, output = rest.partition("->")
    told = found["config"].get("output_shape")
    told = list(told) if isinstance(told, list | tuple) else [told]
    sizes = dict(zip(reversed(output.replace("...", "")), reversed(told), strict=False))
    sizes |= {
        k: n
        for k, n in zip(reversed(inputs.replace("...", "")), reversed(fed), strict=False)
        if n is not None
    }
    bias = found["config"].get("bias_axes") or ""
    return {
        "kernel": tuple(sizes.get(k) for k in kernel),
        "bias": tuple(sizes.get(k) if k in bias else 1 for k in _from_first(output, bias)),
    }


def _from_first(output: str, bias: str) -> str:
    """A bias has the output's axes from the first of its own on."""
    places = [output.index(k) for k in bias if k in output]
    return output[min(places) :] if places else ""


RULES: Mapping[str, Callable[[Found, Shape], dict[str, Any]]] = {
    **dict.fromkeys(CONVOLUTIONS, _conv),
    **dict.fromkeys(NORMS | {"Normalization"}, _norm),
    **dict.fromkeys(RECURRENT, _recurrent),
    "Dense": _dense,
    "EinsumDense": _einsum,
    "Activation": _prelu,
}
