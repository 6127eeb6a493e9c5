"""What a user may say of a state dict with `--source-arg k=v`.

Which of its dicts is read, LoRA's alpha.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from weightbridge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a state dict.

    weights: the path of the dict to read.
    lora_alpha: of an adapter that is not merged, None where not said.
    """

    weights: str = ""
    lora_alpha: float | None = None


def asked_of(arguments: Mapping[str, Any] | None) -> Asked:
    """The arguments of a reader of state dicts. Raises UsageError for one that it does not know."""
    given = dict(arguments or {})
    known = [field.name for field in fields(Asked)]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UsageError(
            f"a state dict takes no argument {unknown[0]!r}", fix=f"known are {', '.join(known)}"
        )
    alpha = given.get("lora_alpha")
    if alpha is not None and (isinstance(alpha, bool) or not isinstance(alpha, int | float)):
        raise UsageError(f"lora_alpha={alpha!r}: expected a number", fix="adapter_config.json has it")
    return Asked(str(given.get("weights", "")), alpha)
