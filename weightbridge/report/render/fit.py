"""R2 of every fitted layer against depth, as SVG: what it holds of what it was fitted to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.digest.fits import fit_of
from weightbridge.report.render import plot

Json = Mapping[str, Any]
GOAL, WAY, LEFT_ALONE = "#0a7", "#9bb", "#c43"
KEY = (
    (GOAL, "writes a feature of the source"),
    (WAY, "on the way to one"),
    (LEFT_ALONE, "left as initialised, or no more than the mean"),
)


def picture(report: Json) -> str:
    """Nothing where no layer was fitted."""
    fit = fit_of(report["verification"]["evidence"])
    layers: Sequence[Json] = (fit or {}).get("layers") or ()
    if not layers:
        return ""
    parts = [*plot.ticks(is_percent=False), *_points(layers), *plot.names([x["layer"] for x in layers])]
    return plot.framed("R2 of each fitted layer on held-out rows, by depth", [*parts, *_key()])


def _points(layers: Sequence[Json]) -> Iterator[str]:
    """The curve goes through those that write a feature."""
    places = [(plot.x_of(n, len(layers)), plot.y_of(one["r2"] or 0.0)) for n, one in enumerate(layers)]
    goals = [place for one, place in zip(layers, places, strict=True) if _color(one) == GOAL]
    if goals:
        yield plot.curve(goals)
    for one, (x, y) in zip(layers, places, strict=True):
        r2 = "not fitted" if one["r2"] is None else f"R2 {one['r2']:.3f}"
        reason = f"; {one['reason']}" if one["reason"] else ""
        yield plot.dot(x, y, _color(one), f"{one['layer']} <- {one['cut']}: {r2}{reason}")


def _color(one: Json) -> str:
    if not one["reason"]:
        return GOAL
    return WAY if one["reason"] == "on the way" else LEFT_ALONE


def _key() -> Iterator[str]:
    for n, (color, words) in enumerate(KEY):
        x = plot.LEFT + 8 + n * 190
        yield f'<circle cx="{x}" cy="38" r="3.5" fill="{color}"/>'
        yield f'<text x="{x + 8}" y="42" fill="#555">{words}</text>'
