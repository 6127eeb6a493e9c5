"""What a command was asked for, as its report says it; a saved report is judged by the same again."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from weightbridge.boundary.options import Options

Json = Mapping[str, Any]
# In this order; those that this version's Options has not are left out.
ASKED = (
    "adapt", "depth", "fresh", "unused", "map", "min_coverage", "min_exact", "min_filled", "fail_on", "plan",
    "policy", "baseline", "max_examples", "rules", "probe", "calibrate", "evidence", "disambiguate",
    "map_words", "dequantize", "verify", "source_arguments", "target_arguments",
)  # fmt: skip
GIVEN = "given"  # a plan or arrays that were made in Python, or what has no JSON
JUDGED = ("fail_on", "min_coverage", "min_exact", "min_filled")  # what a saved report is judged by again


def asked_of(options: Options) -> dict[str, Any]:
    """The options that decide about a result, as JSON has them; paths as the user gave them."""
    known = {field.name for field in fields(options)}
    found = {name: _plain(getattr(options, name)) for name in ASKED if name in known}
    if not isinstance(found["calibrate"], str | None):
        found["calibrate"] = GIVEN
    return {"options": found}


def judged_as_before(options: Options, asked: Json) -> Options:
    """The options with what the saved report was judged by, where the user does not say otherwise."""
    before = asked.get("options", {})
    known = {field.name for field in fields(options)}
    kept = [name for name in JUDGED if name in known and name in before and name not in options.explicit]
    if options.policy is not None:
        return options
    return replace(options, **{name: before[name] for name in kept})


def asked_again(asked: Json, options: Options) -> dict[str, Any]:
    """What was asked for, with what it is judged by now."""
    now = asked_of(options)
    if not asked:
        return now
    judged = {name: value for name, value in now["options"].items() if name in JUDGED}
    return {**asked, "options": {**asked.get("options", {}), **judged}}


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items()}
    return GIVEN
