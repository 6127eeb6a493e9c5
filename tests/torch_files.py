"""PyTorch files written by hand.

Pickles opcode by opcode, in the zip form and in the legacy one, right or wrong at will.
"""

import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "complex64": "ComplexFloatStorage",
}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


@dataclass(frozen=True)
class Named:
    """A function or class: `torch.FloatStorage`."""

    text: str


@dataclass(frozen=True)
class Call:
    """function(*arguments); with a state, an object that is built (NEWOBJ, BUILD)."""

    function: Named
    arguments: tuple[Any, ...] = ()
    state: Any = None


@dataclass(frozen=True)
class Persistent:
    id: tuple[Any, ...]


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are."""

    data: bytes


def dumps(value: Any) -> bytes:
    """A pickle of protocol 2, without a memo."""
    return b"\x80\x02" + opcodes(value) + b"."


def opcodes(value: Any) -> bytes:
    match value:
        case Named() | Call() | Persistent() | Raw():
            return _special(value)
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case dict():
            return b"}(" + b"".join(opcodes(k) + opcodes(v) for k, v in value.items()) + b"u"
    return _plain(value)


def _plain(value: Any) -> bytes:
    match value:
        case None | bool():
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        case int():
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(data)]) + data
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    raise TypeError(type(value))


def _special(value: Named | Call | Persistent | Raw) -> bytes:
    match value:
        case Named(text):
            return b"c" + "\n".join((text.rpartition(".")[0], text.rpartition(".")[2], "")).encode()
        case Call(function, arguments, state):
            made = opcodes(function) + opcodes(arguments)
            return made + b"R" if state is None else made + b"\x81" + opcodes(state) + b"b"
        case Persistent(id):
            return opcodes(id) + b"Q"
        case Raw(data):
            return data


def storage(key: str, kind: str, elements: int, *view: Any) -> Persistent:
    return Persistent(("storage", Named(f"torch.{kind}"), key, "cpu", elements, *view))


def tensor(
    key: str, dtype: str, shape: Sequence[int], strides: Sequence[int] | None = None, **other: int
) -> Call:
    """A view of a storage, contiguous and alone in it where nothing else is said. other: offset, elements."""
    strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))] if strides is None else strides
    place = storage(key, STORAGES[dtype], other.get("elements", int(np.prod(shape))))
    return rebuilt(place, other.get("offset", 0), tuple(shape), tuple(strides))


def rebuilt(place: Any, offset: Any, shape: Any, strides: Any) -> Call:
    return Call(
        Named("torch._utils._rebuild_tensor_v2"),
        (place, offset, shape, strides, False, Call(Named("collections.OrderedDict"))),
    )


def held(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Call], dict[str, bytes]]:
    """A state dict of these arrays, and the bytes of its storages."""
    named = dict(zip(map(str, range(len(arrays))), arrays.items(), strict=True))
    return {n: tensor(k, str(a.dtype), a.shape) for k, (n, a) in named.items()}, {
        k: a.tobytes() for k, (_, a) in named.items()
    }


def zip_file(
    path: Path,
    value: Any,
    storages: Mapping[str, bytes],
    extra: Mapping[str, bytes] | None = None,
    deflated: bool = False,
) -> Path:
    """value: what is pickled, or the pickle's bytes."""
    members = {
        "data.pkl": value if isinstance(value, bytes) else dumps(value),
        **{f"data/{k}": v for k, v in storages.items()},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        for name, data in (members | {"version": b"3\n"} | dict(extra or {})).items():
            archive.writestr(f"archive/{name}", data)
    return path


def legacy_file(
    path: Path, value: Any, storages: Mapping[str, tuple[int, bytes]], system: Mapping[str, Any] = SYSTEM
) -> Path:
    """storages: the number of elements and the bytes."""
    parts = [
        dumps(MAGIC),
        dumps(PROTOCOL),
        dumps(dict(system)),
        value if isinstance(value, bytes) else dumps(value),
        dumps(list(storages)),
    ]
    order = "little" if system["little_endian"] else "big"
    path.write_bytes(
        b"".join(parts) + b"".join(count.to_bytes(8, order) + data for count, data in storages.values())
    )
    return path
