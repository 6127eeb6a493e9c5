"""The report as JSON: the object itself, with the same bytes for the same inputs."""

import json
from collections.abc import Mapping
from typing import Any


def render(report: Mapping[str, Any]) -> str:
    """ASCII only, so that no name can steer a terminal; what is in the object is in order already."""
    text = json.dumps(report, indent=1, ensure_ascii=True, allow_nan=False)
    return text.replace("\x7f", "\\u007f") + "\n"
