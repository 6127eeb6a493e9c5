"""What a saved report says of a comparison, checked: what renderers count with is a number, a name a text."""

from collections.abc import Mapping
from typing import Any, get_args

from weightbridge.boundary.checked import (
    Check,
    is_count,
    is_list,
    is_number,
    is_object,
    is_text,
    list_of,
    or_null,
    unfit_keys,
)
from weightbridge.boundary.options import Adapt, Depth, Evidence

_TEXTS = ("name", "source", "target", "probe", "status")
_NUMBERS = ("ratio", "ratio_cumulative", "ratio_local", "limit", "nrmse", "floor", "max_abs", "max_rel")
_RECORD: dict[str, Check] = {
    **dict.fromkeys(_TEXTS, or_null(is_text)),
    **dict.fromkeys(_NUMBERS, or_null(is_number)),
}
_TENSORS: dict[str, Check] = dict.fromkeys(("identical", "matched", "total"), is_count)
_ARM: dict[str, Check] = {
    "name": is_text,
    **dict.fromkeys(("agreement", "logit_r2"), is_number),
    "accuracy": or_null(is_number),
}
_LAYER: dict[str, Check] = {
    **dict.fromkeys(("layer", "cut", "reason"), is_text),
    "r2": or_null(is_number),
    "products": is_count,
}
_FIT: dict[str, Check] = {
    "way": is_text,
    "tried": lambda value: is_object(value) and all(map(or_null(is_number), value.values())),
    "judged_on": is_count,
    **dict.fromkeys(("score", "control", "source_accuracy"), or_null(is_number)),
    "arms": lambda value: is_list(value) and all(map(_is_arm, value)),
    "layers": lambda value: is_list(value) and all(map(_is_layer, value)),
}
_EVIDENCE: dict[str, Check] = {
    **dict.fromkeys(("controls", "inconclusive", "probes"), or_null(is_list)),
    "fit": lambda value: value is None or (is_object(value) and _is_fit(value)),
    "tensors": lambda value: value is None or (is_object(value) and not unfit_keys(value, _TENSORS)),
}
# Options that the first version's reports had not, or that commands are made of.
ASKED: dict[str, Check] = {
    "rules": or_null(list_of(is_text)),
    **dict.fromkeys(("plan", "policy", "baseline", "probe", "calibrate"), or_null(is_text)),
    "adapt": lambda value: value in get_args(Adapt),
    "depth": lambda value: value in get_args(Depth),
    "evidence": lambda value: value in get_args(Evidence),
    **dict.fromkeys(("source_arguments", "target_arguments"), or_null(is_object)),
}


def _is_fit(value: Mapping[str, Any]) -> bool:
    has_arms = bool(value.get("arms"))
    return not unfit_keys(value, _FIT) and (not has_arms or "judged_on" in value)


def _is_arm(value: Any) -> bool:
    return is_object(value) and value.keys() >= _ARM.keys() and not unfit_keys(value, _ARM)


def _is_layer(value: Any) -> bool:
    has_all = is_object(value) and value.keys() >= _LAYER.keys() - {"products"}
    return has_all and not unfit_keys(value, _LAYER)


def recorded_problems(verification: Mapping[str, Any]) -> list[str]:
    """Of the outputs, the layers and the evidence of a verification."""
    wrong = [
        f"verification.evidence.{key} does not fit" for key in unfit_keys(verification["evidence"], _EVIDENCE)
    ]
    for part in ("outputs", "layers"):
        for i, record in enumerate(verification[part]):
            wrong += [f"verification.{part}[{i}].{key} does not fit" for key in unfit_keys(record, _RECORD)]
    return wrong
