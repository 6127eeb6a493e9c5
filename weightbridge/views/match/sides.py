"""Both models of a report as compact graphs; made from its steps where the report has no graphs."""

from collections.abc import Iterable, Mapping
from typing import Any

from weightbridge.report.graphs import parent

Json = Mapping[str, Any]


def graphs_of(report: Json) -> dict[str, Json]:
    """`source` and `target`, each with `has_flow`, `layers` and `edges`."""
    graphs = report.get("graphs") or {}
    return {
        "source": graphs.get("source") or _without_flow(_source_tensors(report)),
        "target": graphs.get("target") or _without_flow(_target_tensors(report)),
    }


def owners(graph: Json) -> dict[str, int]:
    """The place of the layer of each tensor."""
    return {name: i for i, layer in enumerate(graph["layers"]) for name in layer[3]}


def _without_flow(tensors: Iterable[tuple[str, str]]) -> Json:
    held: dict[str, dict[str, None]] = {}
    for layer, tensor in tensors:
        held.setdefault(layer, {})[tensor] = None
    layers = [[layer, "", None, list(names), 1] for layer, names in held.items()]
    return {"has_flow": False, "layers": layers, "edges": []}


def _target_tensors(report: Json) -> Iterable[tuple[str, str]]:
    return ((step["layer"], step["target"]) for step in report["steps"])


def _source_tensors(report: Json) -> Iterable[tuple[str, str]]:
    used = [name for step in report["steps"] for name in step["sources"]]
    names = dict.fromkeys((*used, *(entry["source"] for entry in report["unused"])))
    return ((parent(name), name) for name in names)
