"""What is wrong with the JSON object of a saved report, found by hand.

A JSON Schema library would be one more dependency.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from weightbridge.boundary.checked import (
    Check,
    is_count,
    is_flag,
    is_fraction,
    is_number,
    is_object,
    is_text,
    list_of,
    missing_keys,
    one_of,
    or_null,
    unfit_keys,
)
from weightbridge.boundary.options import FailOn
from weightbridge.errors.diagnostics import CODES, Severity
from weightbridge.plan import Contract, Kind, UnusedReason
from weightbridge.report.document import SCHEMA_VERSION
from weightbridge.report.recorded import ASKED, recorded_problems
from weightbridge.report.values import Verdict


def problems(data: Any) -> list[str]:
    """What is wrong with a report's JSON object; empty where `report_from_json` can read it."""
    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
        return [f"expected an object with schema_version {SCHEMA_VERSION}"]
    wrong = _wrong("report", data, _REPORT)
    if wrong:
        return wrong
    wrong = _wrong_verification(data["verification"])
    for side in ("source", "target"):
        if data[side]:
            wrong += _wrong(side, data[side], _SUMMARY)
    for key, checks in _TABLES.items():
        wrong += _wrong_entries(key, data[key], checks)
    if "graph" in data:
        wrong += _wrong("graph", data["graph"], _GRAPH)
        wrong = wrong or _graph_problems(data["graph"])
    if "graphs" in data:
        wrong += _wrong("graphs", data["graphs"], _GRAPHS)
    return wrong + _wrong_additions(data)


def _wrong_verification(verification: Mapping[str, Any]) -> list[str]:
    return _wrong("verification", verification, _VERIFICATION) or recorded_problems(verification)


def _wrong_additions(data: Mapping[str, Any]) -> list[str]:
    """Of what later versions wrote and the first did not."""
    wrong = [f"report.{key} is {str(data[key])[:40]!r}" for key in unfit_keys(data, _ADDED)]
    if not wrong:
        wrong = [*_wrong_options(data.get("asked", {})), *_wrong_accepted(data)]
    digests = enumerate(step.get("digest", "") for step in data["steps"])
    return wrong + [f"steps[{i}].digest is no text" for i, digest in digests if not is_text(digest)]


def _wrong_accepted(data: Mapping[str, Any]) -> list[str]:
    counts = data.get("baseline", {})
    wrong = [
        f"baseline.{key} is no count"
        for key in ("new", "accepted", "stale")
        if counts and not is_count(counts.get(key))
    ]
    return wrong + _wrong_entries("accepted", data.get("accepted", ()), _FINDING)


def _wrong_options(asked: Mapping[str, Any]) -> list[str]:
    options = asked.get("options", {})
    if not is_object(options):
        return ["asked.options is no object"]
    return [f"asked.options.{key} is of the wrong kind" for key in unfit_keys(options, _OPTIONS)]


def _is_compact(value: Any) -> bool:
    """A model as report/graphs.py writes it, whose edges lead to layers that are there."""
    if not is_object(value) or not is_flag(value.get("has_flow")):
        return False
    layers, edges = value.get("layers"), value.get("edges")
    if not list_of(_is_compact_layer)(layers):
        return False
    is_pair = list_of(lambda place: is_count(place) and place < len(layers))
    return list_of(lambda edge: is_pair(edge) and len(edge) == 2)(edges)


def _is_compact_layer(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 5:
        return False
    name, op, shape, tensors, stride = value
    is_shape = or_null(list_of(or_null(is_count)))(shape)
    return is_text(name) and is_text(op) and is_shape and _texts(tensors) and is_number(stride) and stride > 0


def _graph_problems(graph: Mapping[str, Any]) -> list[str]:
    wrong = _wrong_entries("graph.layers", graph["layers"], _LAYER)
    if not wrong:
        for i, layer in enumerate(graph["layers"]):
            for tensor in layer["tensors"]:
                wrong += _wrong(f"graph.layers[{i}].tensors", tensor, _TENSOR)
    return wrong + _wrong_entries("graph.excluded", graph["excluded"], _EXCLUDED)


def _wrong_entries(table: str, entries: Sequence[Any], checks: Mapping[str, Check]) -> list[str]:
    places = ((f"{table}[{i}]", entry) for i, entry in enumerate(entries))
    return [problem for place, entry in places for problem in _wrong(place, entry, checks)]


def _wrong(place: str, value: Any, checks: Mapping[str, Check]) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place} is no object"]
    missing = [f"{place} has no {key}" for key in missing_keys(value, checks)]
    return missing + [f"{place}.{key} is {str(value[key])[:40]!r}" for key in unfit_keys(value, checks)]


def _is_edge(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    source, target, position = value
    return is_text(source) and is_text(target) and is_count(position)


_texts, _counts, _objects = list_of(is_text), list_of(is_count), list_of(is_object)
_REPORT: dict[str, Check] = {
    "command": is_text,
    "verdict": one_of(get_args(Verdict)),
    "source": is_object,
    "target": is_object,
    "steps": _objects,
    "unused": _objects,
    "findings": _objects,
    "verification": is_object,
}
_GRAPHS: dict[str, Check] = dict.fromkeys(("source", "target"), _is_compact)
_ADDED: dict[str, Check] = {
    "exit_code": is_count,
    "asked": is_object,
    "wrote": or_null(is_object),
    "pair": is_text,
    "refused": is_text,
    "baseline": is_object,
    "accepted": _objects,
}
_OPTIONS: dict[str, Check] = {
    "fail_on": one_of(get_args(FailOn)),
    **dict.fromkeys(("min_coverage", "min_exact", "min_filled"), is_fraction),
    **dict.fromkeys(("fresh", "unused"), _texts),
    "map": list_of(_texts),
    "max_examples": or_null(is_count),
    **ASKED,
}
_SUMMARY: dict[str, Check] = {
    **dict.fromkeys(("path", "format", "producer", "structure"), is_text),
    "sha256": or_null(is_text),
    **dict.fromkeys(("layers", "tensors", "parameters"), is_count),
}
_STEP: dict[str, Check] = {
    "target": is_text,
    "sources": _texts,
    "kind": one_of(get_args(Kind)),
    "contract": one_of(get_args(Contract)),
    "shape": _counts,
    "size": is_count,
    "transform": is_text,
    "confidence": is_number,
    "evidence": _texts,
    "runners_up": _texts,
    "energy_kept": or_null(is_number),
    "cost": is_text,
}
_UNUSED: dict[str, Check] = {"source": is_text, "reason": one_of(get_args(UnusedReason))}
_FINDING: dict[str, Check] = {
    "code": one_of(CODES),
    "severity": one_of(get_args(Severity)),
    **dict.fromkeys(("message", "source", "target", "fix"), is_text),
}
_OF_FINDING: dict[str, Check] = {"about": is_text}
_TABLES = {"steps": _STEP, "unused": _UNUSED, "findings": _FINDING}
_VERIFICATION: dict[str, Check] = {
    "mode": is_text,
    "outputs": _objects,
    "layers": _objects,
    "evidence": is_object,
}
_GRAPH: dict[str, Check] = {
    "framework": is_text,
    "has_flow": is_flag,
    "inputs": _texts,
    "outputs": _texts,
    "layers": _objects,
    "edges": list_of(_is_edge),
    "excluded": _objects,
}
_LAYER: dict[str, Check] = {
    **dict.fromkeys(("name", "op", "class_name"), is_text),
    "attributes": is_object,
    "output_shape": or_null(list_of(or_null(is_count))),
    "tensors": _objects,
}
_TENSOR: dict[str, Check] = {
    **dict.fromkeys(("name", "role", "dtype"), is_text),
    "shape": _counts,
    "trainable": is_flag,
}
_EXCLUDED: dict[str, Check] = {"name": is_text, "reason": is_text, "size": is_count}
