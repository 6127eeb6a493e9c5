"""What a file is, by its content: signatures first, then the structure inside a container."""

import mmap
import pickletools
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from weightbridge.errors import Corrupt, MissingFile, UnsafeContent, Unsupported
from weightbridge.formats.sniffing.folders import folder_format, is_checkpoint
from weightbridge.formats.sniffing.hdf5 import hdf5_format
from weightbridge.formats.sniffing.text import text_format
from weightbridge.formats.wire import LENGTH, VARINT, Buffer, Span, fields

HDF5_OFFSETS = (0, 512, 1024, 2048, 4096, 8192)  # a user block may stand before the signature
TORCH_LEGACY = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, pickled
LEVELDB_TABLE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # the last bytes of a TensorFlow checkpoint's index
MODEL_PROTO: dict[int, int] = {1: VARINT, 5: VARINT} | dict.fromkeys(
    (2, 3, 4, 6, 7, 8, 14, 20, 25, 26), LENGTH
)
SAVED_MODEL: dict[int, int] = {1: VARINT, 2: LENGTH}
FOREIGN: dict[bytes, str] = {
    b"\x93NUMPY": "one numpy array (.npy)",
    b"GGUF": "GGUF",
    b"\x1f\x8b": "gzip data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ\x00": "xz data",
    b"\x28\xb5\x2f\xfd": "zstandard data",
    b"\x7fELF": "a program",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"%PDF": "a PDF document",
}


def sniff(path: Path) -> str:
    """The format's name as in CONTRACT.md.

    Raises MissingFile, Corrupt, UnsafeContent or Unsupported where there is none.
    """
    if is_checkpoint(path):
        return "tf-checkpoint"
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return folder_format(path)
        if not stat.S_ISREG(mode):
            raise MissingFile(
                "this is no regular file", where=str(path), fix="Give the path of a model's file"
            )
        with path.open("rb") as file:
            if not file.seek(0, 2):
                raise Corrupt("the file is empty: 0 bytes", where=str(path), fix="Copy or download it again")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _format(path, data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingFile(
            f"cannot be read: {reason}", where=str(path), fix="Check the path and its permissions"
        ) from error


def _format(path: Path, data: Buffer) -> str:
    start = bytes(data[:4096])
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_format(path)
    if any(data[offset : offset + 8] == b"\x89HDF\r\n\x1a\n" for offset in HDF5_OFFSETS):
        return hdf5_format(path)
    if start[4:8] == b"TFL3":
        return "tflite"
    if TORCH_LEGACY in start[:32]:
        return "torch-legacy"
    if _is_text(start):
        return text_format(path, data)
    if _is_safetensors(start, len(data)):
        return "safetensors"
    if data[-8:] == LEVELDB_TABLE:
        return "tf-checkpoint"
    return _format_without_signature(path, data)


def _is_text(start: bytes) -> bool:
    """JSON, XML or a pointer; a safetensors length may begin with the same byte, and has zeros after it."""
    opening = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return b"\0" not in start[:8] and (
        opening in (b"{", b"[", b'"', b"<") or start.startswith(b"version https://git-lfs")
    )


def _zip_format(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        struct.error,
        UnicodeDecodeError,
        EOFError,
    ) as error:
        raise Corrupt(
            f"a zip archive that cannot be opened: {error}",
            where=str(path),
            fix="It may be truncated: copy or download it again",
        ) from error
    if "config.json" in names or any(n.startswith("model.weights.") for n in names):
        return "keras-zip"
    if any(n == "data.pkl" or n.endswith("/data.pkl") for n in names):
        return "torch-zip"
    if names and all(n.endswith(".npy") for n in names):
        raise Unsupported(
            "numpy arrays (.npz) and no model",
            where=str(path),
            fix="Give the model itself, or save the arrays as safetensors",
        )
    members = ", ".join(repr(n) for n in names[:5]) or "nothing"
    raise Unsupported(
        f"a zip archive of {members}, which is no model that weightbridge knows",
        where=str(path),
        fix="Unpack it and give the model in it",
    )


def _is_safetensors(start: bytes, size: int) -> bool:
    """A length, then a JSON object; a header longer than the file is for the reader to refuse."""
    return (
        size > 8
        and start[8:9] == b"{"
        and (int.from_bytes(start[:8], "little") <= size or start[9:10] in (b'"', b"}", b" "))
    )


def _format_without_signature(path: Path, data: Buffer) -> str:
    if _holds(MODEL_PROTO, {7, 8}, data):
        return "onnx"
    if _holds(SAVED_MODEL, {2}, data):
        return "saved-model"
    where, start = str(path), bytes(data[:16])
    if data[257:262] == b"ustar":
        raise Unsupported(
            "a tar archive, as PyTorch wrote checkpoints before version 0.1.10, or of several files",
            where=where,
            fix="Load it in PyTorch and save it again with torch.save, or unpack it and give the model in it",
        )
    if _is_pickle(bytes(data[:65536])):
        raise UnsafeContent(
            "a pickle: reading it would run code that the file brings along",
            where=where,
            fix="Save the weights as safetensors, .h5 or .keras instead",
        )
    kind = next((name for magic, name in FOREIGN.items() if start.startswith(magic)), None)
    if kind:
        raise Unsupported(
            f"{kind}, no model that weightbridge reads",
            where=where,
            fix="Give the model's own file, unpacked",
        )
    if path.suffix.lower() in (
        ".onnx",
        ".safetensors",
        ".h5",
        ".hdf5",
        ".keras",
        ".json",
        ".npz",
        ".pt",
        ".pth",
    ):
        raise Corrupt(
            f"the content is nothing known; it starts with {start.hex(' ')}",
            where=where,
            fix="It may be truncated or damaged: copy or download it again",
        )
    raise Unsupported(
        f"nothing known: the file starts with {start.hex(' ')}",
        where=where,
        fix="Give a .keras, .h5, .weights.h5, .onnx, .safetensors or .pt file",
    )


def _holds(known: Mapping[int, int], needed: set[int], data: Buffer) -> bool:
    """Whether the bytes are a message with known fields alone, a version and one of `needed`.

    Protobuf has no signature: all fields up to the first broken one are looked at.
    """
    seen: set[int] = set()
    try:
        for field in fields(data, Span(0, len(data))):
            if known.get(field.number) != field.wire:
                return False
            seen.add(field.number)
    except Corrupt:  # cut off or damaged further down: its reader says where
        return 1 in seen
    return 1 in seen and bool(seen & needed)


def _is_pickle(start: bytes) -> bool:
    """Whether the bytes read as pickle opcodes; nothing is executed."""
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    count = 0
    try:
        for count, (opcode, _, _) in enumerate(pickletools.genops(start), 1):
            if opcode.name == "STOP" or count > 50:
                break
    except Exception:  # noqa: BLE001  # whatever the bytes provoke in pickletools means "no pickle"
        return count > 20
    return count > 2
