"""The names that a PyTorch pickle may use, and the inert value that each stands for.

Everything else is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any

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
UNTYPED = "untyped"
STORAGES: Mapping[str, str] = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "int8",
    "QUInt8Storage": "uint8",
    "QInt32Storage": "int32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": UNTYPED,
}
BYTES: Mapping[str, int] = {  # per element, of all dtypes that are read
    **dict.fromkeys(
        (
            "bool",
            "int8",
            "uint8",
            "float8_e4m3fn",
            "float8_e5m2",
            "float8_e4m3fnuz",
            "float8_e5m2fnuz",
            "float8_e8m0fnu",
        ),
        1,
    ),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 8),
    "complex128": 16,
}
OTHER_DTYPES = (
    "qint8",
    "quint8",
    "qint32",
    "quint4x2",
    "quint2x4",
    "float4_e2m1fn_x2",
    "complex32",
    "bits8",
    "int4",
    "uint4",
)
SCHEMES = (
    "per_tensor_affine",
    "per_channel_affine",
    "per_channel_affine_float_qparams",
    "per_tensor_symmetric",
    "per_channel_symmetric",
)
# Settings that checkpoints hold next to the weights: kept as descriptions that nobody looks into.
INERT = frozenset(
    {f"torch.{name}" for name in (*BYTES, *OTHER_DTYPES, *SCHEMES)}
    | {
        "torch.Tensor",
        "torch.nn.parameter.Parameter",
        "torch.nn.parameter.Buffer",
        "torch.device",
        "torch.torch_version.TorchVersion",
    }
    | {
        f"torch.{name}"
        for name in ("strided", "sparse_coo", "contiguous_format", "channels_last", "preserve_format")
    }
    | {
        "torch.serialization._get_layout",
        "_codecs.encode",
        "copyreg._reconstructor",
        "copy_reg._reconstructor",
        "argparse.Namespace",
    }
    | {f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")}
    | {"numpy.dtype", "numpy.ndarray", "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"}
    | {
        f"numpy.{name}"
        for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool_")
    }
    | {
        f"numpy.dtypes.{name}DType"
        for name in ("Float16", "Float32", "Float64", "Int8", "Int32", "Int64", "UInt8", "UInt32", "Bool")
    }
    | {f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")}
    | {
        f"pathlib.{name}"
        for name in ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
    }
    | {
        f"pathlib._local.{name}"
        for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    }
    | {"types.SimpleNamespace", "uuid.UUID", "decimal.Decimal", "fractions.Fraction"}
    | {
        f"{home}.{name}"
        for home in ("builtins", "__builtin__")
        for name in ("int", "float", "bool", "str", "complex", "bytes", "bytearray")
    }
    | {
        f"{home}.{name}"
        for home in ("builtins", "__builtin__")
        for name in ("object", "long", "unicode", "slice", "range", "xrange")
    }
)
PLAIN_TYPES = ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
UNSUPPORTED: Mapping[str, str] = {
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_sparse_csr_tensor": "a sparse tensor",
    "torch._utils._rebuild_nested_tensor": "a nested tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without values (on the meta device)",
    "torch._utils._rebuild_device_tensor_from_numpy": "a tensor of another device, stored as a numpy array",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": "a tensor of another device",
    "torch._utils._rebuild_xla_tensor": "a tensor of another device, stored as a numpy array",
    "torch._utils._rebuild_wrapper_subclass": "a tensor of a class of its own",
}


def is_known(text: str, is_script: bool) -> bool:
    """Whether a name is harmless as a description.

    is_script: the classes of a TorchScript archive are known too, by their states.
    """
    return (
        text in CALLS
        or text in INERT
        or text in UNSUPPORTED
        or storage_dtype(text) != ""
        or (is_script and text.startswith("__torch__."))
    )


def storage_dtype(text: str) -> str:
    """The dtype of a class of storages (`torch.FloatStorage`), "" for another name."""
    home, _, name = text.rpartition(".")
    return STORAGES.get(name, "") if home in ("torch", "torch.storage", "torch.cuda") else ""


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
    if (
        value[0] != "storage"
        or len(value) not in (5, 6)
        or not isinstance(value[1], Name)
        or not isinstance(value[2], str | int)
    ):
        raise Malformed("a persistent id that names no storage")
    dtype, elements = storage_dtype(value[1].text), natural(value[4])
    if not dtype:
        raise Malformed(f"storages of the class {value[1].text[:80]}")
    view = value[5] if len(value) == 6 else None
    if view is None:
        return Storage(str(value[2]), dtype, elements)
    if not isinstance(view, tuple) or len(view) != 3:
        raise Malformed("a view of a storage that is none")
    return Storage(str(value[2]), dtype, elements, natural(view[1]))


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
    found = StoredTensor(storage, natural(offset), naturals(shape), naturals(strides), kind)
    if len(found.shape) != len(found.strides):
        raise Malformed("a shape and strides of different lengths")
    return found


def _quantised(arguments: Arguments) -> StoredTensor | UnsupportedTensor:
    storage, offset, shape, strides, scheme = _first(arguments, 5)
    view = _view(storage, offset, shape, strides, "")
    if isinstance(view, UnsupportedTensor):
        return view
    if not isinstance(scheme, tuple) or len(scheme) < 3 or not isinstance(scheme[0], Name):
        raise Malformed("a quantised tensor without its scale")
    said = (
        f"scale {scheme[1]:.6g}, zero point {scheme[2]}"
        if _are_numbers(scheme[1:3])
        else "a scale and a zero point per channel"
    )
    return StoredTensor(view.storage, view.offset, view.shape, view.strides, view.dtype, said)


def _are_numbers(values: Arguments) -> bool:
    return all(type(v) is float or (type(v) is int and abs(v) < 1 << 32) for v in values)


def _parameter(arguments: Arguments) -> Any:
    (data,) = _first(arguments, 1)
    return data


def _of_type(arguments: Arguments) -> Any:
    function, kind, inner = _first(arguments, 3)
    if (
        not isinstance(function, Name)
        or not isinstance(kind, Name)
        or function.text not in REBUILDS
        or not isinstance(inner, tuple)
    ):
        raise Malformed("a tensor of a class that is none")
    return (
        REBUILDS[function.text](inner)
        if kind.text in PLAIN_TYPES
        else UnsupportedTensor(f"a tensor of the class {kind.text[:80]}")
    )


def _mapping(arguments: Arguments) -> dict[Any, Any]:
    """`OrderedDict()`, `defaultdict(list)`, and Python 2's `OrderedDict([[key, value], ...])`."""
    pairs = arguments[0] if arguments and isinstance(arguments[0], list | tuple) else ()
    return {p[0]: p[1] for p in pairs if isinstance(p, list | tuple) and len(p) == 2 and type(p[0]) is str}


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
CALLS: Mapping[str, Callable[[Arguments], Any]] = {
    **REBUILDS,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type": _of_type,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    **{f"collections.{name}": _mapping for name in ("OrderedDict", "defaultdict", "Counter")},
    **{f"{home}.dict": _mapping for home in ("builtins", "__builtin__")},
    **{
        f"{home}.{name}": _sequence
        for home in ("builtins", "__builtin__")
        for name in ("list", "tuple", "set", "frozenset")
    },
    "collections.deque": _sequence,
    "torch.Size": _sequence,
    **{f"torch.jit._pickle.build_{name}list": _sequence for name in ("int", "tensor", "double", "bool")},
    "torch.jit._pickle.restore_type_tag": _parameter,
}
