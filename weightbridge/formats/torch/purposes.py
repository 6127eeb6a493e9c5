"""What each part of a checkpoint is for, by its key: the model, a copy of it, an optimizer, state."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from weightbridge.formats.torch.walk import Leaf

Named = tuple[tuple[str, Leaf], ...]
Purpose = Literal["model", "part", "value", "copy", "optimizer", "state"]
# nothing beside these is the model
WHOLE = ("state_dict", "model_state_dict", "model_state", "model_weights", "weights_dict")
MODELS = (*WHOLE, "model", "module", "net", "network", "params", "weights", "teacher", "student")
COPY = re.compile(
    r"(^|[._-])(ema|swa)([._-]|\d*$)|^(averaged?|avg)_(model|state|params|weights)"
    r"|shadow_(params|weights)|^(best|last)_model_copy",
    re.IGNORECASE,
)
OPTIMIZER = re.compile(r"(^|[._-])optim(izers?)?(\d*$|[._-])", re.IGNORECASE)
MOMENTS = frozenset({"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "momentum_buffer", "square_avg"})
STATE = re.compile(
    r"(^|[._-])((lr_?)?sched(uler)?s?|(grad_|loss_)?scaler|rng|rng_states?|random_states?"
    r"|callbacks|loops|hyper_parameters|hparams|metrics)([._-]|$)",
    re.IGNORECASE,
)


def purpose_of(key: str, inside: Named) -> Purpose:
    if len(inside) == 1 and inside[0][0] == key:
        return _purpose_of_tensor(key)
    if COPY.search(key):
        return "copy"
    if OPTIMIZER.search(key):
        return "optimizer"
    if STATE.search(key):
        return "state"
    return "model" if key in MODELS else "part"


def _purpose_of_tensor(key: str) -> Purpose:
    """The same for a single tensor beside dicts."""
    if key.rpartition(".")[2] in MOMENTS:
        return "optimizer"
    return "state" if "rng_state" in key else "value"


def chosen_of(purposes: Mapping[str, Purpose]) -> str | None:
    """The key of the one dict that is the model; None where this level is the state dict."""
    kinds = set(purposes.values())
    models = [key for key, purpose in purposes.items() if purpose == "model"]
    first = min(models, key=MODELS.index, default=None)
    if first is not None and (first in WHOLE or "part" not in kinds):
        return first
    copies = [key for key, purpose in purposes.items() if purpose == "copy"]
    has_weights = bool(kinds & {"model", "part", "value"})
    return copies[0] if copies and not has_weights else None


def copies_among(scopes: set[str]) -> set[str]:
    """The scopes of averages; none where there is nothing else."""
    copies = {scope for scope in scopes if COPY.search(scope)}
    return set() if copies == scopes else copies


def way_to(root: Any, wanted: str) -> list[str]:
    """The keys of the dicts on the way to what is wanted: `ema.module` -> ema, module.

    Empty where the file has no such dict: then it may be a scope of names (`model_ema.`).
    """
    keys: list[str] = []
    value, rest = root, wanted
    while rest:
        inner = _children(value)
        fitting = [key for key in inner if f"{rest}.".startswith(f"{key}.")]
        if not fitting:
            return []
        key = max(fitting, key=len)
        keys.append(key)
        value, rest = inner[key], rest[len(key) + 1 :]
    return keys


def _children(value: Any) -> dict[str, Any]:
    return {str(key): child for key, child in value.items()} if isinstance(value, dict) else {}
