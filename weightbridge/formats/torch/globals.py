"""The names that a PyTorch pickle may use, and the inert value that each stands for.

Everything else is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.formats.torch.known_names import (
    BYTES,
    DANGEROUS,
    INERT,
    MAKERS,
    PLAIN_TYPES,
    UNSUPPORTED,
    storage_dtype,
)
from weightbridge.formats.torch.values import (
    Malformed,
    Name,
    Object,
    Storage,
    StoredTensor,
    UnsupportedTensor,
    natural,
    naturals,
)

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the legacy format
Arguments = tuple[Any, ...]


def is_known(text: str, is_script: bool) -> bool:
    """Whether a name is harmless as a description.

    is_script: the classes of a TorchScript archive are known too, by their states.
    """
    is_listed = text in CALLS or text in INERT or text in UNSUPPORTED
    is_script_class = is_script and text.startswith("__torch__.")
    return is_listed or is_script_class or storage_dtype(text) != ""


def is_class(name: str) -> bool:
    """By the naming conventions of Python: `models.yolo.Model`, not `os.system`."""
    return name.rpartition(".")[2].lstrip("_")[:1].isupper()


def makes_an_object(name: str) -> bool:
    """Whether calling it only makes an object: a class, or a function that is known to."""
    return is_class(name) or name in MAKERS


def is_dangerous(name: str) -> bool:
    """Whether no checkpoint has a reason to name it, called or not."""
    return name.partition(".")[0] in DANGEROUS


def called(name: Name, arguments: Any) -> Any:
    """The inert value of a call. Raises Malformed for arguments that PyTorch never writes."""
    if not isinstance(arguments, tuple):
        raise Malformed("arguments that are no tuple")
    if name.text in CALLS:
        return CALLS[name.text](arguments)
    if name.text in UNSUPPORTED:
        return UnsupportedTensor(UNSUPPORTED[name.text])
    return Object(name.text)


def persistent(value: Any) -> Any:
    """The storage that a persistent id names; a module's source gives its class, which was refused."""
    if not isinstance(value, tuple) or len(value) < 2:
        raise Malformed("a persistent id that is no tuple")
    if value[0] == "module":
        return value[1]
    if value[0] != "storage" or len(value) not in (5, 6):
        raise Malformed("a persistent id that names no storage")
    kind, key = value[1:3]
    if not isinstance(kind, Name) or not isinstance(key, str | int):
        raise Malformed("a persistent id that names no storage")
    return _storage(kind, str(key), value[4], value[5] if len(value) == 6 else None)


def _storage(kind: Name, key: str, elements: Any, view: Any) -> Storage:
    """view: (key, first element, elements) of a part of a storage, None for all of it."""
    dtype = storage_dtype(kind.text)
    count = natural(elements)
    if not dtype:
        raise Malformed(f"storages of the class {kind.text[:80]}")
    if view is None:
        return Storage(key, dtype, count)
    if not isinstance(view, tuple) or len(view) != 3:
        raise Malformed("a view of a storage that is none")
    return Storage(key, dtype, count, natural(view[1]))


def _tensor(arguments: Arguments) -> StoredTensor | UnsupportedTensor:
    storage, offset, shape, strides = _first(arguments, 4)
    if len(arguments) > 6 and arguments[6]:
        return UnsupportedTensor("a view that is conjugated or negated as it is read")
    return _view(storage, offset, shape, strides, "")


def _tensor_of_dtype(arguments: Arguments) -> StoredTensor | UnsupportedTensor:
    storage, offset, shape, strides, _, _, dtype = _first(arguments, 7)
    if not isinstance(dtype, Name) or not dtype.text.startswith("torch."):
        raise Malformed("a dtype that is none")
    return _view(storage, offset, shape, strides, dtype.text.removeprefix("torch."))


def _view(
    storage: Any, offset: Any, shape: Any, strides: Any, dtype: str
) -> StoredTensor | UnsupportedTensor:
    if not isinstance(storage, Storage):
        raise Malformed("a tensor without a storage")
    kind = dtype or storage.dtype
    if kind not in BYTES:
        return UnsupportedTensor(f"a tensor of {kind}")
    view = StoredTensor(storage, natural(offset), naturals(shape), naturals(strides), kind)
    if len(view.shape) != len(view.strides):
        raise Malformed("a shape and strides of different lengths")
    return view


def _quantised(arguments: Arguments) -> StoredTensor | UnsupportedTensor:
    storage, offset, shape, strides, scheme = _first(arguments, 5)
    view = _view(storage, offset, shape, strides, "")
    if isinstance(view, UnsupportedTensor):
        return view
    if not isinstance(scheme, tuple) or len(scheme) < 3 or not isinstance(scheme[0], Name):
        raise Malformed("a quantised tensor without its scale")
    _, scale, zero_point = scheme[:3]
    if _is_number(scale) and _is_number(zero_point):
        words = f"scale {scale:.6g}, zero point {zero_point}"
        return replace(view, scale=words, affine=(float(scale), int(zero_point)))
    return replace(view, scale="a scale and a zero point per channel")


def _is_number(value: Any) -> bool:
    is_small_integer = type(value) is int and abs(value) < 1 << 32
    return is_small_integer or type(value) is float


def _parameter(arguments: Arguments) -> Any:
    (data,) = _first(arguments, 1)
    return data


def _of_type(arguments: Arguments) -> Any:
    function, kind, inner = _first(arguments, 3)
    are_names = isinstance(function, Name) and isinstance(kind, Name)
    if not are_names or function.text not in REBUILDS or not isinstance(inner, tuple):
        raise Malformed("a tensor of a class that is none")
    if kind.text not in PLAIN_TYPES:
        return UnsupportedTensor(f"a tensor of the class {kind.text[:80]}")
    return REBUILDS[function.text](inner)


def _mapping(arguments: Arguments) -> dict[Any, Any]:
    """`OrderedDict()`, `defaultdict(list)`, and Python 2's `OrderedDict([[key, value], ...])`."""
    pairs = arguments[0] if arguments and isinstance(arguments[0], list | tuple) else ()
    return {pair[0]: pair[1] for pair in pairs if _is_pair(pair)}


def _is_pair(value: Any) -> bool:
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    return is_pair and type(value[0]) is str


def _sequence(arguments: Arguments) -> Any:
    """A set, a Size or a typed list as what it holds."""
    return arguments[0] if arguments and isinstance(arguments[0], list | tuple) else []


def _first(arguments: Arguments, count: int) -> Arguments:
    if len(arguments) < count:
        raise Malformed(f"{len(arguments)} arguments where {count} belong")
    return arguments[:count]


REBUILDS: Mapping[str, Callable[[Arguments], Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_qtensor": _quantised,
}
BUILTINS = ("builtins", "__builtin__")
CALLS: Mapping[str, Callable[[Arguments], Any]] = {
    **REBUILDS,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type": _of_type,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    **{f"collections.{name}": _mapping for name in ("OrderedDict", "defaultdict", "Counter")},
    **{f"{home}.dict": _mapping for home in BUILTINS},
    **{f"{home}.{name}": _sequence for home in BUILTINS for name in ("list", "tuple", "set", "frozenset")},
    "collections.deque": _sequence,
    "torch.Size": _sequence,
    **{f"torch.jit._pickle.build_{name}list": _sequence for name in ("int", "tensor", "double", "bool")},
    "torch.jit._pickle.restore_type_tag": _parameter,
}
