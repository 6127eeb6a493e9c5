"""What stands beside an adapter: PEFT's `adapter_config.json`, which has LoRA's alpha."""

from collections.abc import Mapping
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from weightbridge.boundary.checked import strict_json
from weightbridge.errors import Corrupt
from weightbridge.formats.state_dicts.asked import Asked
from weightbridge.formats.state_dicts.computed.low_rank import LowRank

NAME = "adapter_config.json"
LIMIT = 1 << 20  # bytes


def low_rank_of(path: Path, asked: Asked) -> LowRank:
    """What is known of the adapters in a model's file. Raises Corrupt for a configuration that is none."""
    folder = path if path.is_dir() else path.parent
    return LowRank(_config(folder / NAME), asked.lora_alpha)


def _config(path: Path) -> Mapping[str, Any]:
    if not path.is_file() or path.stat().st_size > LIMIT:
        return {}
    try:
        config = strict_json(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, JSONDecodeError) as error:
        raise Corrupt(f"no JSON: {error}", where=str(path), fix="mend it, or move it away") from error
    return config if isinstance(config, dict) else {}
