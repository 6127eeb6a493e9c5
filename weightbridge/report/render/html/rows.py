"""The tables of a page: findings by code, outputs, every tensor, and the layers of an inspected model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from weightbridge.plan.values import SHARE_OF
from weightbridge.report.digest.ledger import REASONS, SHARES
from weightbridge.report.digest.values import Digest, Group
from weightbridge.report.words import dimensions, how, measured, sure

Json = Mapping[str, Any]
MOST = 500  # findings of one code; the JSON report has them all
MANY = 20_000  # tensors in a page


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a group. places: target, then source."""

    places: tuple[str, ...]
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class FoundRows:
    """A code's group with its first findings, and how many more there are."""

    group: Group
    rows: tuple[Finding, ...]
    more: int


@dataclass(frozen=True, slots=True)
class TensorRow:
    """One step. marks: its classes in the page."""

    target: str
    sources: str
    others: str
    how: str
    contract: str
    shape: str
    sure: str
    evidence: str
    marks: str


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer of an inspected model."""

    name: str
    op: str
    shape: str
    tensors: str
    parameters: int


def findings(made: Digest) -> tuple[FoundRows, ...]:
    """Of each code, worst first."""
    return tuple(_found(group) for group in made.groups)


def tensors(report: Json) -> tuple[TensorRow, ...]:
    """Every target tensor; of very many the first, in the target's order."""
    return tuple(map(_tensor, report["steps"][:MANY]))


def shares(report: Json) -> tuple[tuple[str, int], ...]:
    """What the table of tensors can be narrowed to, with the number of its rows; `verify` transfers none."""
    if report["command"] == "verify":
        return ()
    counts = Counter(SHARE_OF[step["kind"]] for step in report["steps"])
    kinds = [(share, counts[share]) for share in SHARES if counts[share]]
    asked = sum(bool(step["runners_up"]) for step in report["steps"])
    return (*kinds, ("ambiguous", asked)) if asked else tuple(kinds)


def stage_shares(report: Json) -> dict[str, tuple[tuple[str, float], ...]]:
    """By how each stage's parameters get their values; what has no grid under the name of its row."""
    sizes: dict[str, Counter[str]] = {}
    for one in report["steps"]:
        if one["stage"] or one["sources"]:
            sizes.setdefault(one["stage"] or "", Counter())[SHARE_OF[one["kind"]]] += one["size"]
    return {
        stage: tuple((share, counts[share] / max(counts.total(), 1)) for share in SHARES if counts[share])
        for stage, counts in sizes.items()
    }


def unused(report: Json) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The source's tensors that no step uses, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for entry in report["unused"]:
        by_reason.setdefault(entry["reason"], []).append(entry["source"])
    known = [(words, by_reason[reason]) for reason, words in REASONS.items() if reason in by_reason]
    return tuple((words, tuple(names)) for words, names in known)


def excluded(report: Json) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What the file of an inspected model stores besides weights, by what it is."""
    by_reason: dict[str, list[str]] = {}
    for entry in (report.get("graph") or {"excluded": ()})["excluded"]:
        by_reason.setdefault(str(entry["reason"]), []).append(str(entry["name"]))
    return tuple((reason, tuple(names)) for reason, names in sorted(by_reason.items()))


def outputs(report: Json) -> tuple[tuple[str, ...], ...]:
    """Name, probe, outcome, times the floor, allowed, max abs; none of what is compared with nothing."""
    return tuple(
        (str(one.get("name", "")), str(one.get("probe", "")), str(one.get("status", "")),
         _number(one, "ratio"), _number(one, "limit"), _number(one, "max_abs"))
        for one in report["verification"]["outputs"] if "status" in one
    )  # fmt: skip


def layers(report: Json) -> tuple[LayerRow, ...]:
    """Of an inspected model, in its own order."""
    graph = report.get("graph") or {"layers": ()}
    return tuple(map(_layer, graph["layers"]))


def _found(group: Group) -> FoundRows:
    shown = tuple(map(_finding, group.findings[:MOST]))
    return FoundRows(group, shown, len(group.findings) - len(shown))


def _finding(found: Json) -> Finding:
    places = tuple(name for name in (found["target"], found["source"]) if name)
    return Finding(places, found["message"], found["fix"])


def _tensor(step: Json) -> TensorRow:
    share = SHARE_OF[step["kind"]]
    return TensorRow(
        target=step["target"],
        sources=_names(step["sources"]),
        others=_names(step["runners_up"]),
        how=how(step),
        contract=step["contract"],
        shape=dimensions(step["shape"]),
        sure=sure(step),
        evidence=", ".join(step["evidence"]),
        marks=f"{share} ambiguous" if step["runners_up"] else share,
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names)


def _number(record: Json, key: str) -> str:
    value = record.get(key)
    return measured(value) if isinstance(value, int | float) else ""


def _layer(layer: Json) -> LayerRow:
    sizes = [prod(tensor["shape"]) for tensor in layer["tensors"]]
    held = ", ".join(f"{tensor['role']} {dimensions(tensor['shape'])}" for tensor in layer["tensors"])
    op = layer["op"] if layer["op"] != "Opaque" else f"Opaque {layer['class_name']}"
    return LayerRow(layer["name"], op, dimensions(layer["output_shape"]), held, sum(sizes))
