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
    made = f"{model['format']}, {model['producer']}" if model["producer"] else model["format"]
    counts = f"{model['layers']:,} layers, {model['tensors']:,} tensors, {model['parameters']:,} parameters"
    return f"{side} {model['path']} ({made}): {counts}"


def coverage_lines(report: Mapping[str, Any]) -> tuple[str, ...]:
    """What the target gets and what the source gives; nothing where there is no plan."""
    covered = report["coverage"]
    if not report["steps"] and not report["unused"]:
        return ()
    parts = ", ".join(f"{covered[key]:,} {word}" for key, word in PARTS.items() if covered[key])
    return (
        f"coverage {percent(covered['fraction'])} of the target's {covered['parameters']:,} parameters{': ' + parts if parts else ''}",
        f"  {covered['source_tensors_used']:,} of the source's {covered['source_tensors']:,} tensors are used",
    )


def percent(fraction: float) -> str:
    """Rounded down: 100 % is said of nothing less."""
    return f"{floor(fraction * 10_000 + 1e-9) / 100:.2f} %"
