"""What follows from the scores: which layers to train first, how fast the others, what is not worth it."""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np

from weightbridge.commands.advising.features import INPUT
from weightbridge.commands.advising.labels import Labels
from weightbridge.commands.advising.scores import h_score, logme, ridge_probe
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.flow import ancestors
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array

DIVISOR = 2.6  # of the learning rate from one group to the next below (Howard and Ruder 2018)
HEAD, ALL = "head", "everything"
GROUPS = 8  # more of them train the lowest layers with next to nothing


def scored(name: str, features: Array, labels: Labels) -> dict[str, Any]:
    """The record of one cut: its scores, each higher where the features tell more."""
    centred = features - features.mean(axis=0)
    spread = float(centred.std()) or 1.0
    probe = ridge_probe(features, labels.targets, labels.classes)
    folds = np.array(probe.accuracies)
    is_classed = labels.classes is not None
    return {
        "cut": name,
        "features": int(features.shape[1]),
        "logme": _rounded(logme(features / spread, labels.targets)),
        "h_score": _rounded(h_score(features, labels.classes)) if labels.classes is not None else None,
        "ridge_r2": _rounded(probe.r2),
        "accuracy": _rounded(folds.mean()) if is_classed else None,
        "accuracy_error": _rounded(folds.std(ddof=1) / sqrt(len(folds))) if is_classed else None,
    }


def _rounded(value: Any) -> float:
    return float(f"{float(value):.4g}")


def advice(
    graph: LayerGraph, cuts: Sequence[Mapping[str, Any]], labels: Labels, count: int
) -> dict[str, Any]:
    """cuts: the records of all, that of the inputs first, that of what the head reads last."""
    groups = layer_groups(graph, [record["cut"] for record in cuts[1:]])
    below = [layer for group in groups[:-1] for layer in group["layers"]]
    return {
        "inputs": count,
        "classes": None if labels.classes is None else int(labels.classes.max() + 1),
        "chance": _rounded(labels.chance),
        "cuts": [dict(record) for record in cuts],
        "best": max(cuts[1:], key=_worth)["cut"],
        "groups": groups,
        "phases": [
            {"train": HEAD, "frozen": below, "until": "the validation metric no longer improves"},
            {"train": ALL, "frozen": [], "rates": [group["rate"] for group in groups]},
        ],
    }


def layer_groups(graph: LayerGraph, cuts: Sequence[str]) -> list[dict[str, Any]]:
    """Layers with weights from cut to cut, the head last; `rate`: what its learning rate is multiplied by."""
    chosen = list(cuts) if len(cuts) < GROUPS else [cuts[n] for n in _spread(len(cuts), GROUPS - 1)]
    filled = [group for group in _parts(graph, chosen) if group]
    last = len(filled) - 1
    return [{"layers": group, "rate": _rounded(DIVISOR ** (n - last))} for n, group in enumerate(filled)]


def _parts(graph: LayerGraph, cuts: Sequence[str]) -> Iterator[list[str]]:
    """Names of layers with weights up to each cut, and behind the last."""
    weighted = [layer.name for layer in graph.layers if layer.tensors]
    taken = set[str]()
    for cut in cuts:
        layers = {cut, *ancestors(graph.dag, cut)} - taken
        taken |= layers
        yield [name for name in weighted if name in layers]
    yield [name for name in weighted if name not in taken]


def _spread(count: int, wanted: int) -> list[int]:
    return [round((n + 1) * count / wanted) - 1 for n in range(wanted)]


def _worth(record: Mapping[str, Any]) -> float:
    return float(record["ridge_r2"] if record["accuracy"] is None else record["accuracy"])


def said(given: Mapping[str, Any]) -> Iterator[Finding]:
    """The advice in words, and WB308 where the features are not worth keeping."""
    cuts, last = given["cuts"], given["cuts"][-1]
    groups = given["groups"]
    rates = f"learning rate divided by {DIVISOR} from each of the {len(groups)} groups to the next below"
    message = (
        f"train the head first, on what {last['cut']} gives, until the validation metric no longer improves; "
        f"then everything with small steps ({rates})"
    )
    best = next(record for record in cuts if record["cut"] == given["best"])
    if best is not last and _is_better(best, last):
        compared = f"{_score(best)} against {_score(last)}"
        message += f". The features of {best['cut']} tell more than those at the end ({compared})"
    yield finding("WB311", message, source=last["cut"], fix="freeze(model, advice) sets the first phase")
    if not _is_better(best, cuts[0]):
        text = f"no cut tells more of the labels than {INPUT}: {_score(best)} against {_score(cuts[0])}"
        yield finding(
            "WB308", text, source=best["cut"], fix="Compare with a random start before relying on it"
        )


def _is_better(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """By more than two standard errors of the difference; of measured values, by a hundredth of R2."""
    if one["accuracy"] is None:
        return bool(one["ridge_r2"] > other["ridge_r2"] + 0.01)
    error = sqrt(one["accuracy_error"] ** 2 + other["accuracy_error"] ** 2)
    return bool(one["accuracy"] > other["accuracy"] + 2 * error)


def _score(record: Mapping[str, Any]) -> str:
    if record["accuracy"] is None:
        return f"R2 {record['ridge_r2']:.3f}"
    return f"{record['accuracy']:.1%} right"
