"""How many channels an attention head has: by `rope.freqs`, or by what lies beside a checkpoint."""

from collections.abc import Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from weightbridge.boundary.checked import strict_json
from weightbridge.model.tensors import Tensor

FILES = ("params.json", "config.json")
LIMIT = 1 << 20  # bytes
NAMES = (("dim", "n_heads"), ("hidden_size", "num_attention_heads"), ("n_embd", "n_head"))


def head_width(path: Path, tensors: Sequence[Tensor]) -> int:
    """0 where nothing tells. A configuration that cannot be read tells nothing."""
    for tensor in tensors:
        if tensor.name.endswith("rope.freqs") and len(tensor.shape) == 1:
            return 2 * tensor.shape[0]
    if not any(tensor.name.endswith((".wq.weight", ".q_proj.weight")) for tensor in tensors):
        return 0
    folder = path if path.is_dir() else path.parent
    return next((width for name in FILES if (width := _told(_read(folder / name)))), 0)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > LIMIT:
            return {}
        config = strict_json(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, JSONDecodeError):
        return {}
    return config if isinstance(config, dict) else {}


def _told(config: Mapping[str, Any]) -> int:
    if _is_count(config.get("head_dim")):
        return int(config["head_dim"])
    for size, heads in NAMES:
        if _is_count(config.get(size)) and _is_count(config.get(heads)):
            return int(config[size]) // int(config[heads])
    return 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
