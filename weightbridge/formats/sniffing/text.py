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
    where, start = str(path), bytes(data[:256]).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"version https://git-lfs"):
        raise Corrupt(
            "a Git LFS pointer, not the model", where=where, fix="Run `git lfs pull` to get the file itself"
        )
    if start.startswith(b"<"):
        raise Corrupt(
            "a web page or XML, not a model",
            where=where,
            fix="The download failed or needs a login: get the file itself",
        )
    found = _json(path, data)
    if isinstance(found, str):
        raise Unsupported(
            "a Keras configuration that was quoted twice",
            where=where,
            fix="Save it with json.dump(json.loads(text), file)",
        )
    if isinstance(found, dict) and isinstance(found.get("weight_map"), dict):
        return _shards(found["weight_map"])
    if isinstance(found, dict) and "class_name" in found and "config" in found:
        return "keras-json"
    if isinstance(found, dict) and ("modelTopology" in found or "weightsManifest" in found):
        raise Unsupported(
            "a TensorFlow.js model", where=where, fix="Convert it to .h5 with tensorflowjs_converter"
        )
    keys = (
        ", ".join(repr(key) for key in list(found)[:5]) if isinstance(found, dict) else type(found).__name__
    )
    raise Unsupported(
        f"JSON ({keys}) that is no Keras configuration", where=where, fix="Give what model.to_json() wrote"
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
    return (
        "torch-zip" if any(name.endswith((".bin", ".pt", ".pth")) for name in names) else "keras-weights-h5"
    )
