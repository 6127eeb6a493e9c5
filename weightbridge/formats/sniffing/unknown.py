"""What is said of a file that is no model: archives, pickles, other formats, damaged files."""

import pickletools
from pathlib import Path

from weightbridge.errors import Corrupt, ModelError, UnsafeContent, Unsupported
from weightbridge.formats.sniffing.tensorflow import tensorflow_graph
from weightbridge.formats.wire import Buffer

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
SUFFIXES = frozenset(
    {".onnx", ".tflite", ".pb", ".safetensors", ".h5", ".hdf5", ".keras", ".json", ".npz", ".pt", ".pth"}
)
PICKLE_PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def refusal(path: Path, data: Buffer) -> ModelError:
    """The error for a file whose content is no format that is known."""
    if data[257:262] == b"ustar":
        return Unsupported(
            "a tar archive, as PyTorch wrote checkpoints before version 0.1.10, or of several files",
            where=str(path),
            fix="Load it in PyTorch and save it again with torch.save, or unpack it and give the model in it",
        )
    if _is_pickle(bytes(data[:65536])):
        return UnsafeContent(
            "a pickle: reading it would run code that the file brings along",
            where=str(path),
            fix="Save the weights as safetensors, .h5 or .keras instead",
        )
    return tensorflow_graph(path, data) or _foreign(path, bytes(data[:16]))


def _foreign(path: Path, start: bytes) -> ModelError:
    """The error by the first bytes, or by the suffix where these tell nothing."""
    where = str(path)
    kind = next((name for magic, name in FOREIGN.items() if start.startswith(magic)), None)
    if kind:
        return Unsupported(
            f"{kind}, no model that weightbridge reads",
            where=where,
            fix="Give the model's own file, unpacked",
        )
    if path.suffix.lower() in SUFFIXES:
        return Corrupt(
            f"the content is nothing known; it starts with {start.hex(' ')}",
            where=where,
            fix="It may be truncated or damaged: copy or download it again",
        )
    return Unsupported(
        f"nothing known: the file starts with {start.hex(' ')}",
        where=where,
        fix="Give a .keras, .h5, .weights.h5, .onnx, .tflite, .pb, .safetensors or .pt file, or a SavedModel",
    )


def _is_pickle(start: bytes) -> bool:
    """Whether the bytes read as pickle opcodes; nothing is executed."""
    if start[:2] in PICKLE_PROTOCOLS:
        return True
    count = 0
    try:
        for count, (opcode, _, _) in enumerate(pickletools.genops(start), 1):
            if opcode.name == "STOP" or count > 50:
                break
    except Exception:  # noqa: BLE001  # whatever the bytes provoke in pickletools means "no pickle"
        return count > 20
    return count > 2
