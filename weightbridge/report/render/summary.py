"""The first lines of a report: the verdict, the models and the coverage, as sentences."""

from collections.abc import Mapping
from math import floor
from typing import Any

MEANING = {
    "pass": "nothing is wrong",
    "warn": "there is something to look at",
    "fail": "findings or a failed verification stand against it",
    "inconclusive": "the check ran but proves nothing",
    "vacuous": "the check also passes for a model that must fail it",
    "error": "it could not be done",
}
PARTS = {
    "copied": "copied",
    "transformed": "transformed exactly",
    "adapted": "adapted",
    "fresh": "fresh",
    "kept": "the target's own",
}


def headline(report: Mapping[str, Any]) -> str:
    return f"{report['verdict'].upper()} {report['command']}: {MEANING[report['verdict']]}"


def model_line(side: str, model: Mapping[str, Any]) -> str:
    kind = model["format"]
    if model["producer"]:
        kind = f"{kind}, {model['producer']}"
    counts = ", ".join(f"{model[key]:,} {key}" for key in ("layers", "tensors", "parameters"))
    return f"{side} {model['path']} ({kind}): {counts}"


def coverage_lines(report: Mapping[str, Any]) -> tuple[str, ...]:
    """What the target gets and what the source gives; nothing where there is no plan."""
    if report["command"] == "verify":
        return _identical_lines(report["verification"]["evidence"].get("tensors"))
    covered = report["coverage"]
    if not report["steps"] and not report["unused"]:
        return ()
    parts = ", ".join(f"{covered[key]:,} {word}" for key, word in PARTS.items() if covered[key])
    fraction, parameters = percent(covered["fraction"]), covered["parameters"]
    target = f"coverage {fraction} of the target's {parameters:,} parameters"
    used, stored = covered["source_tensors_used"], covered["source_tensors"]
    source = f"  {used:,} of the source's {stored:,} tensors are used"
    return f"{target}: {parts}" if parts else target, source


def _identical_lines(counts: Any) -> tuple[str, ...]:
    """`verify` moves nothing: it says what the two have in common."""
    if not isinstance(counts, Mapping):
        return ()
    identical, matched, total = (counts.get(key, 0) for key in ("identical", "matched", "total"))
    return (
        f"{identical:,} of the target's {total:,} tensors are identical to their counterparts in the source, "
        f"{matched - identical:,} differ, {total - matched:,} have none",
    )


def percent(fraction: float) -> str:
    """Rounded down: 100 % is said of nothing less."""
    return f"{floor(fraction * 10_000 + 1e-9) / 100:.2f} %"
