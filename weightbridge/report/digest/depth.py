"""Error against depth: where the layers that were compared begin to differ."""

from collections.abc import Sequence
from typing import Any

from weightbridge.report.digest.values import Depth, DepthRow, Json

DIFFERS = frozenset({"differs", "non-finite"})
RATIO = "ratio_cumulative"


def depth(report: Json) -> Depth | None:
    """None where no layer was compared, or none differs."""
    layers = report["verification"]["layers"]
    place = next((i for i, layer in enumerate(layers) if layer.get("status") in DIFFERS), None)
    if place is None:
        return None
    return Depth(
        before=_row(layers[:place]),
        first=_known(layers[place : place + 1]),
        behind=_row(layers[place + 1 :]),
        place=place + 1,
        layers=len(layers),
        ratios=tuple(_number(layer.get(RATIO)) for layer in layers),
    )


def layer_name(layer: Json) -> str:
    return str(layer.get("target") or layer.get("source") or layer.get("name") or "?")


def _row(layers: Sequence[Json]) -> DepthRow | None:
    return _known(layers) if layers else None


def _known(layers: Sequence[Json]) -> DepthRow:
    worst = max(layers, key=lambda layer: _number(layer.get(RATIO)) or 0.0)
    return DepthRow(
        layers=len(layers),
        first=layer_name(layers[0]),
        last=layer_name(layers[-1]),
        ratio=_number(worst.get(RATIO)),
        limit=_number(worst.get("limit")),
        differ=sum(layer.get("status") in DIFFERS for layer in layers),
        max_abs=_number(worst.get("max_abs")),
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None
