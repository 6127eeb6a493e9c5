"""What is wrong with the JSON object of a saved report, found by hand: a JSON Schema library would be one
more dependency.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from weightbridge.diagnostics import CODES, Severity
from weightbridge.plan import Contract, Kind, UnusedReason
from weightbridge.report.json import SCHEMA_VERSION
from weightbridge.report.values import Verdict

Check = Callable[[Any], bool]


def problems(data: Any) -> list[str]:
    """What is wrong with a report's JSON object; empty where `report_from_json` can read it."""
    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
        return [f"expected an object with schema_version {SCHEMA_VERSION}"]
    wrong = _wrong("report", data, _REPORT)
    if wrong:
        return wrong
    graph = {} if "graph" not in data else {"graph": (data["graph"], _GRAPH)}
    parts: dict[str, tuple[Any, dict[str, Check]]] = {
        "verification": (data["verification"], _VERIFICATION),
        **{side: (data[side], _SUMMARY) for side in ("source", "target") if data[side]},
        **{f"steps[{i}]": (step, _STEP) for i, step in enumerate(data["steps"])},
        **{f"unused[{i}]": (unused, _UNUSED) for i, unused in enumerate(data["unused"])},
        **{f"findings[{i}]": (found, _FINDING) for i, found in enumerate(data["findings"])},
        **graph,
    }
    found = [problem for place, (value, checks) in parts.items() for problem in _wrong(place, value, checks)]
    return found or [problem for value, _ in graph.values() for problem in _graph_problems(value)]


def _graph_problems(graph: Mapping[str, Any]) -> list[str]:
    layers = [
        p for i, layer in enumerate(graph["layers"]) for p in _wrong(f"graph.layers[{i}]", layer, _LAYER)
    ]
    excluded = [
        p for i, one in enumerate(graph["excluded"]) for p in _wrong(f"graph.excluded[{i}]", one, _EXCLUDED)
    ]
    tensors = (
        []
        if layers
        else [
            p
            for i, layer in enumerate(graph["layers"])
            for t in layer["tensors"]
            for p in _wrong(f"graph.layers[{i}].tensors", t, _TENSOR)
        ]
    )
    return layers + excluded + tensors


def _wrong(place: str, value: Any, checks: Mapping[str, Check]) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place} is no object"]
    missing = [f"{place} has no {key}" for key in checks if key not in value]
    return missing + [
        f"{place}.{key} is {str(value[key])[:40]!r}"
        for key, fits in checks.items()
        if key in value and not fits(value[key])
    ]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(values: Any) -> Check:
    return lambda value: isinstance(value, str) and value in values


def _list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _or_null(fits: Check) -> Check:
    return lambda value: value is None or fits(value)


def _edge(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and _text(value[0])
        and _text(value[1])
        and _count(value[2])
    )


_texts, _counts, _objects = _list_of(_text), _list_of(_count), _list_of(_object)
_REPORT: dict[str, Check] = {
    "command": _text, "verdict": _one_of(get_args(Verdict)), "source": _object, "target": _object, "steps": _objects,
    "unused": _objects, "findings": _objects, "verification": _object,
}  # fmt: skip
_SUMMARY: dict[str, Check] = {
    "path": _text, "format": _text, "producer": _text, "structure": _text, "sha256": _or_null(_text),
    "layers": _count, "tensors": _count, "parameters": _count,
}  # fmt: skip
_STEP: dict[str, Check] = {
    "target": _text, "sources": _texts, "kind": _one_of(get_args(Kind)), "contract": _one_of(get_args(Contract)),
    "shape": _counts, "size": _count, "transform": _text, "confidence": _number, "evidence": _texts, "runners_up": _texts,
    "energy_kept": _or_null(_number), "cost": _text,
}  # fmt: skip
_UNUSED: dict[str, Check] = {"source": _text, "reason": _one_of(get_args(UnusedReason))}
_FINDING: dict[str, Check] = {
    "code": _one_of(CODES), "severity": _one_of(get_args(Severity)), "message": _text, "source": _text, "target": _text, "fix": _text,
}  # fmt: skip
_VERIFICATION: dict[str, Check] = {
    "mode": _text,
    "outputs": _objects,
    "layers": _objects,
    "evidence": _object,
}
_GRAPH: dict[str, Check] = {
    "framework": _text, "has_flow": _flag, "inputs": _texts, "outputs": _texts,
    "layers": _objects, "edges": _list_of(_edge), "excluded": _objects,
}  # fmt: skip
_LAYER: dict[str, Check] = {
    "name": _text, "op": _text, "class_name": _text, "attributes": _object,
    "output_shape": _or_null(_list_of(_or_null(_count))), "tensors": _objects,
}  # fmt: skip
_TENSOR: dict[str, Check] = {
    "name": _text,
    "role": _text,
    "shape": _counts,
    "dtype": _text,
    "trainable": _flag,
}
_EXCLUDED: dict[str, Check] = {"name": _text, "reason": _text, "size": _count}
