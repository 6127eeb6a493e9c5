"""The names that a PyTorch pickle may use: storages, dtypes, and settings that are only described."""

from collections.abc import Mapping

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
BUILTINS = ("builtins", "__builtin__")
PATHS = ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
IN_TORCH = (
    *BYTES,
    *OTHER_DTYPES,
    *SCHEMES,
    *("Tensor", "nn.parameter.Parameter", "nn.parameter.Buffer"),
    *("device", "torch_version.TorchVersion", "serialization._get_layout"),
    *("strided", "sparse_coo", "contiguous_format", "channels_last", "preserve_format"),
)
IN_NUMPY = (
    *(f"{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *("core.numeric._frombuffer", "_core.numeric._frombuffer", "dtype", "ndarray"),
    *("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool_"),
)
NUMPY_DTYPES = ("Float16", "Float32", "Float64", "Int8", "Int32", "Int64", "UInt8", "UInt32", "Bool")
IN_BUILTINS = (
    *("int", "float", "bool", "str", "complex", "bytes", "bytearray"),
    *("object", "long", "unicode", "slice", "range", "xrange", "Ellipsis", "NotImplemented"),
)
# Settings that checkpoints hold next to the weights: kept as descriptions that nobody looks into.
INERT = frozenset(
    {
        *(f"torch.{name}" for name in IN_TORCH),
        *(f"numpy.{name}" for name in IN_NUMPY),
        *(f"numpy.dtypes.{name}DType" for name in NUMPY_DTYPES),
        *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
        *(f"pathlib.{name}" for name in (*PATHS, "PurePath")),
        *(f"pathlib._local.{name}" for name in PATHS),
        *(f"{home}.{name}" for home in BUILTINS for name in IN_BUILTINS),
        *("_codecs.encode", "copyreg._reconstructor", "copy_reg._reconstructor", "argparse.Namespace"),
        "functools.partial",
        *("types.SimpleNamespace", "uuid.UUID", "decimal.Decimal", "fractions.Fraction"),
    }
)
# Functions that make objects of numpy's and pandas's: described like objects of a foreign class.
MAKERS = frozenset(
    {
        *(f"numpy.random._pickle.__{kind}_ctor" for kind in ("bit_generator", "randomstate", "generator")),
        *("numpy.random.__RandomState_ctor", "numpy.random.bit_generator.__pyx_unpickle_SeedSequence"),
        *("numpy.ma.core._mareconstruct", "numpy.core.records.fromrecords"),
        *("pandas._libs.internals._unpickle_block", "pandas.core.indexes.base._new_Index"),
        *(
            f"pandas._libs.tslibs.timestamps.{name}"
            for name in ("_unpickle_timestamp", "_timestamp_unpickle")
        ),
    }
)
# Modules whose names only an attack gives.
DANGEROUS = frozenset(
    {
        *BUILTINS,
        *("os", "posix", "nt", "sys", "subprocess", "shutil", "pty", "socket", "ctypes", "importlib"),
        *("runpy", "code", "codeop", "pickle", "_pickle", "marshal", "webbrowser", "commands", "asyncio"),
        *("multiprocessing", "threading", "signal", "urllib", "http", "requests", "tempfile", "pip", "pdb"),
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


def storage_dtype(text: str) -> str:
    """The dtype of a class of storages (`torch.FloatStorage`), "" for another name."""
    home, _, name = text.rpartition(".")
    return STORAGES.get(name, "") if home in ("torch", "torch.storage", "torch.cuda") else ""
