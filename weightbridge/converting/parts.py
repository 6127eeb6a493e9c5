"""Activations, initializers, regularizers, constraints, dtypes and slices in Keras 3's terms."""

from collections.abc import Mapping
from typing import Any

FUNCTIONS = frozenset(
    {
        *("elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear", "log_softmax"),
        *("mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "tanh"),
        *("celu", "glu", "hard_shrink", "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_plus"),
        *("sparse_sigmoid", "squareplus", "tanh_shrink"),
    }
)
OTHERWISE = {"swish": "silu", "identity": "linear", "keras2_hard_sigmoid": "hard_sigmoid"}
_RANDOM = "seed"
INITIALIZERS: Mapping[str, str] = {
    "Zeros": "",
    "Ones": "",
    "Constant": "value",
    "RandomNormal": f"mean stddev {_RANDOM}",
    "TruncatedNormal": f"mean stddev {_RANDOM}",
    "RandomUniform": f"minval maxval {_RANDOM}",
    "VarianceScaling": f"scale mode distribution {_RANDOM}",
    "Orthogonal": f"gain {_RANDOM}",
    **dict.fromkeys(("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal"), _RANDOM),
    **dict.fromkeys(("LecunUniform", "LecunNormal"), _RANDOM),
    "Identity": "gain",
}
REGULARIZERS: Mapping[str, str] = {
    "L1L2": "l1 l2",
    "L1": "l1",
    "L2": "l2",
    "OrthogonalRegularizer": "factor mode",
}
CONSTRAINTS: Mapping[str, str] = {
    "MaxNorm": "max_value axis",
    "NonNeg": "",
    "UnitNorm": "axis",
    "MinMaxNorm": "min_value max_value rate axis",
}
TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "_initializer": ("keras.initializers", INITIALIZERS),
    "_regularizer": ("keras.regularizers", REGULARIZERS),
    "_constraint": ("keras.constraints", CONSTRAINTS),
}


def slice_entry(start: int | None, stop: int | None, step: int | None) -> dict[str, Any]:
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}


def ellipsis_entry() -> dict[str, Any]:
    return {"class_name": "__ellipsis__", "config": {}}


def table_of(key: str) -> tuple[str, Mapping[str, str]] | None:
    """Module and table of the objects that a setting holds; None for one that holds none."""
    return next((table for suffix, table in TABLES.items() if key.endswith(suffix)), None)


def part(key: str, value: Any) -> dict[str, Any] | None:
    """An initializer, regularizer or constraint; None for one that is not among Keras's own."""
    table = table_of(key)
    assert table is not None, f"{key} is no part"
    module, known = table
    class_name, config = _named(value)
    name = {_plain(name): name for name in known}.get(_plain(class_name))
    if name is None:
        return None
    kept = {k: config[k] for k in known[name].split() if config.get(k) is not None}
    if kept.get("distribution") == "normal":
        kept["distribution"] = "truncated_normal"
    return {"module": module, "class_name": name, "config": kept, "registered_name": None}


def activation_name(value: Any) -> str | None:
    """Keras's own function by its name; None where it is no function of Keras's."""
    if isinstance(value, Mapping):
        is_function = value.get("class_name") == "function"
        value = value.get("config") if is_function else value.get("class_name")
    if not isinstance(value, str):
        return None
    name = value.rsplit(".", 1)[-1]
    name = OTHERWISE.get(name, name)
    return name if name in FUNCTIONS else None


def dtype_name(value: Any) -> str | None:
    """The name of a dtype or of a policy."""
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config.get("name") if isinstance(config, Mapping) else None
    return value if isinstance(value, str) else None


def _named(value: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(value, Mapping):
        config = value.get("config")
        return str(value.get("class_name", "")), config if isinstance(config, Mapping) else {}
    return str(value), {}


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
