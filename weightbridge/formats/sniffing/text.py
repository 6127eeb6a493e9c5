"""What a text file is: a Keras configuration, an index of shards, or a failed download."""

import json
from pathlib import Path
from typing import Any

from weightbridge.errors import Corrupt, ResourceBomb, Unsupported
from weightbridge.formats.wire import Buffer

LIMIT = 256 << 20  # bytes of JSON; the largest Keras configuration known is under 10 MB


def text_format(path: Path, data: Buffer) -> str:
    """`keras-json`, or the format whose shards an index names.

    Raises Corrupt, ResourceBomb or Unsupported.
    """
    _refuse_failed_download(path, bytes(data[:256]).lstrip(b"\xef\xbb\xbf \t\r\n"))
    value = _json(path, data)
    if not isinstance(value, dict):
        raise _no_object(path, value)
    if isinstance(value.get("weight_map"), dict):
        return _shards(value["weight_map"])
    if "class_name" in value and "config" in value:
        return "keras-json"
    if "modelTopology" in value or "weightsManifest" in value:
        raise Unsupported(
            "a TensorFlow.js model", where=str(path), fix="Convert it to .h5 with tensorflowjs_converter"
        )
    raise _no_configuration(path, ", ".join(map(repr, list(value)[:5])))


def _refuse_failed_download(path: Path, start: bytes) -> None:
    if start.startswith(b"version https://git-lfs"):
        raise Corrupt(
            "a Git LFS pointer, not the model",
            where=str(path),
            fix="Run `git lfs pull` to get the file itself",
        )
    if start.startswith(b"<"):
        raise Corrupt(
            "a web page or XML, not a model",
            where=str(path),
            fix="The download failed or needs a login: get the file itself",
        )


def _no_object(path: Path, value: Any) -> Unsupported:
    if isinstance(value, str):
        return Unsupported(
            "a Keras configuration that was quoted twice",
            where=str(path),
            fix="Save it with json.dump(json.loads(text), file)",
        )
    return _no_configuration(path, type(value).__name__)


def _no_configuration(path: Path, content: str) -> Unsupported:
    return Unsupported(
        f"JSON ({content}) that is no Keras configuration",
        where=str(path),
        fix="Give what model.to_json() wrote",
    )


def _json(path: Path, data: Buffer) -> Any:
    if len(data) > LIMIT:
        raise ResourceBomb(
            f"{len(data)} bytes of JSON, more than any configuration",
            where=str(path),
            fix="Give the model's own file",
        )
    try:
        return json.loads(bytes(data).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Corrupt(
            f"JSON that cannot be read: {error}",
            where=str(path),
            fix="It may be truncated: copy or download it again",
        ) from error


def _shards(weight_map: dict[str, Any]) -> str:
    """By the names of the shards: safetensors, PyTorch's, or Keras's HDF5 files (which are lists)."""
    names = [name for name in weight_map.values() if isinstance(name, str)]
    if any(name.endswith(".safetensors") for name in names):
        return "safetensors"
    if any(name.endswith((".bin", ".pt", ".pth")) for name in names):
        return "torch-zip"
    return "keras-weights-h5"
