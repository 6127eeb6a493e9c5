"""A TensorFlow function in a model (TFOpLambda, SlicingOpLambda) as an operation of Keras 3."""

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from weightbridge.converting.parts import ellipsis_entry, slice_entry
from weightbridge.converting.tensorflow_functions import DEFAULTS, IDLE, OPERATIONS, Operation
from weightbridge.converting.values import Config, Said, note
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.ops import function_of

BOUNDS = ("start", "stop", "step")
FUNCTIONS = frozenset({"TFOpLambda", "SlicingOpLambda"})
WRITTEN = "TensorFlow functions are written as operations of Keras 3"
Tensors = Callable[[Reference], Config]
Written = tuple[Config, list[Config]]  # an entry of the configuration, and its calls


def operation(layer: ConfigLayer, tensor: Tensors, said: Said) -> Written:
    """The operation, and what it is called with. What Keras 3 has no operation for is noted as refused."""
    name = function_of(layer)
    try:
        written = [_called(name, call, tensor) for call in layer.calls]
        settings = {str(one): one for one, _ in written}
        if len(settings) > 1:
            raise _UnknownError("is called with several settings")
    except _UnknownError as error:
        note(said.refused, f"the TensorFlow function {layer.config.get('function')} {error}", layer.name)
        return {}, []
    note(said.rewritten, WRITTEN, layer.name)
    entry = {**written[0][0], "config": {"name": layer.name, **written[0][0]["config"]}}
    return entry, [node for _, node in written]


class _UnknownError(Exception):
    """A function, or a way to call it, that no operation is known for."""


def _called(name: str, call: Call, tensor: Tensors) -> tuple[Config, Config]:
    if name in ("getitem", "_slice_helper"):
        return _sliced(call, tensor)
    if name == "add_n":
        return _layer("Add", {}), {"args": [_list(call, tensor)], "kwargs": {}}
    if name not in OPERATIONS:
        raise _UnknownError("has no counterpart here")
    known = OPERATIONS[name]
    given = {**DEFAULTS.get(name, {}), **_bound(known, call, tensor)}
    if name == "matmul":
        return _product(given)
    if name == "l2_normalize":
        return _layer("UnitNormalization", {"axis": given.get("axis", -1)}), _node([given["x"]])
    return _plain(name, known, given)


def _bound(known: Operation, call: Call, tensor: Tensors) -> Config:
    """The arguments by the names that the function has for them."""
    given: Config = {key: _plain_value(value) for key, value in call.keywords.items()}
    first = [tensor(reference) for reference in call.inputs if not reference.keyword]
    if call.arguments:
        given[known.takes[0]] = _plain_value(call.arguments[0])
    elif first:
        given[known.takes[0]] = first if known.listed or len(first) > 1 else first[0]
    named = (reference for reference in call.inputs if reference.keyword)
    return given | {reference.keyword.partition(".")[0]: tensor(reference) for reference in named}


def _plain(name: str, known: Operation, given: Config) -> tuple[Config, Config]:
    _refuse_unread(known, given)
    missing = [one for one in known.takes if one not in given]
    if missing:
        raise _UnknownError(f"is called without {missing[0]}")
    config = {ours: given[theirs] for theirs, ours in known.settings.items() if given.get(theirs) is not None}
    if any(isinstance(value, dict) for value in config.values()):
        raise _UnknownError("has a tensor where an operation of Keras 3 has a setting")
    return _entry(known, _adjusted(name, config)), _node([given[one] for one in known.takes])


def _refuse_unread(known: Operation, given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        is_known = key in (*known.takes, *known.settings, "name")
        if not is_known and value not in IDLE.get(key, (None,)):
            raise _UnknownError(f"has the argument {key}, which no operation takes")


def _adjusted(name: str, config: Config) -> Config:
    """Settings that Keras writes in another way."""
    if name == "split" and isinstance(config["indices_or_sections"], list):
        *sizes, _ = config["indices_or_sections"]
        return {**config, "indices_or_sections": list(accumulate(sizes))}
    if name == "pad":
        return {**config, "mode": str(config.get("mode", "constant")).lower()}
    if name == "squeeze" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        return {**config, "axis": config["axis"][0]}
    return config


def _product(given: Config) -> tuple[Config, Config]:
    """A product of turned matrices is an einsum."""
    turned = [bool(given.get(f"transpose_{one}") or given.get(f"adjoint_{one}")) for one in "ab"]
    node = _node([given["a"], given["b"]])
    if not any(turned):
        return _entry(OPERATIONS["matmul"], {}), node
    left, right = ("ji" if turned[0] else "ij"), ("kj" if turned[1] else "jk")
    einsum = Operation("numpy", "Einsum", (), {})
    return _entry(einsum, {"subscripts": f"...{left},...{right}->...ik"}), node


def _sliced(call: Call, tensor: Tensors) -> tuple[Config, Config]:
    spec = call.keywords.get("slice_spec")
    if len(call.inputs) != 1 or spec is None:
        raise _UnknownError("slices by a tensor")
    parts = list(spec) if isinstance(spec, tuple | list) else [spec]
    get_item = Operation("numpy", "GetItem", (), {})
    return _entry(get_item, {}), _node([tensor(call.inputs[0]), [_slice(part) for part in parts]])


def _slice(part: Any) -> Any:
    if part is None or (isinstance(part, int) and not isinstance(part, bool)):
        return part
    if part == "..." or (isinstance(part, dict) and part.get("class_name") == "__ellipsis__"):
        return ellipsis_entry()
    if isinstance(part, dict):
        return slice_entry(**_bounds(part))
    raise _UnknownError("slices in a way that is not known here")


def _bounds(part: Mapping[str, Any]) -> Config:
    bounds = dict(zip(BOUNDS, part["slice"], strict=True)) if "slice" in part else dict(part)
    is_plain = all(value is None or isinstance(value, int) for value in bounds.values())
    if bounds.keys() != set(BOUNDS) or not is_plain:
        raise _UnknownError("slices by a tensor")
    return bounds


def _list(call: Call, tensor: Tensors) -> list[Config]:
    return [tensor(reference) for reference in call.inputs]


def _plain_value(value: Any) -> Any:
    """JSON-like: lists, not tuples."""
    if isinstance(value, tuple | list):
        return [_plain_value(one) for one in value]
    return value


def _node(arguments: list[Any]) -> Config:
    return {"args": arguments, "kwargs": {}}


def _entry(known: Operation, config: Config) -> Config:
    name = known.class_name
    return {
        "module": f"keras.src.ops.{known.module}",
        "class_name": name,
        "config": config,
        "registered_name": name,
    }


def _layer(class_name: str, config: Config) -> Config:
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}
