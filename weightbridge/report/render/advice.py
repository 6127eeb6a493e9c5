"""The scores of `advise`: a table for the text report, and a picture of accuracy against depth."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.escape import visible
from weightbridge.report.render import plot
from weightbridge.report.render.layout import BLANK, Line, fitted, line, padded

ROWS = 16  # of the table; the JSON has all
NAMES = 36
SCORES = (("logme", "LogME"), ("h_score", "H-score"), ("ridge_r2", "ridge R2"), ("accuracy", "accuracy"))


def advice_of(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The advice of a report, None where it has none."""
    found = report["verification"]["evidence"].get("advice")
    return found if isinstance(found, Mapping) and found.get("cuts") else None


def table(report: Mapping[str, Any]) -> Iterator[Line]:
    """A row for each cut, from the inputs on."""
    found = advice_of(report)
    if found is None:
        return
    cuts = found["cuts"]
    step = -(-len(cuts) // ROWS)
    shown = [*cuts[:-1:step], cuts[-1]]
    yield BLANK
    yield line(padded("Cuts", NAMES) + "".join(f"{title:>13}" for _, title in SCORES), "bold")
    for record in shown:
        cells = "".join(f"{_number(record, key):>13}" for key, _ in SCORES)
        yield line(f"  {padded(fitted(visible(record['cut']), NAMES - 2), NAMES - 2)}{cells}")
    if len(shown) < len(cuts):
        yield line(f"  {len(cuts) - len(shown)} more: --report json", "dim")
    if found.get("chance"):
        yield line(f"  the largest class alone: {found['chance']:.1%}", "dim")


def _number(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return "-"
    return f"{value:.1%}" if key == "accuracy" else f"{value:.4g}"


def picture(report: Mapping[str, Any]) -> str:
    """Accuracy of the probe (R2 where labels are values) at each cut, with its standard error, as SVG."""
    found = advice_of(report)
    assert found is not None
    cuts = found["cuts"]
    key = "ridge_r2" if cuts[0]["accuracy"] is None else "accuracy"
    is_percent = key == "accuracy"
    parts = [
        *plot.ticks(is_percent=is_percent),
        *_points(cuts, key),
        *plot.names([record["cut"] for record in cuts]),
    ]
    if is_percent:
        y = plot.y_of(found["chance"])
        parts.append(f'<line x1="{plot.LEFT}" x2="{plot.WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" {CHANCE}/>')
    return plot.framed(f"{'Accuracy' if is_percent else 'R2'} of a ridge probe on each cut's features", parts)


CHANCE = 'stroke="#999" stroke-dasharray="4 3"'


def _points(cuts: Sequence[Mapping[str, Any]], key: str) -> Iterator[str]:
    places = [(plot.x_of(n, len(cuts)), plot.y_of(record[key])) for n, record in enumerate(cuts)]
    yield plot.curve(places)
    for record, (x, y) in zip(cuts, places, strict=True):
        error = record.get("accuracy_error") if key == "accuracy" else None
        if error:
            low, high = plot.y_of(record[key] - error), plot.y_of(record[key] + error)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="#0a7"/>'
        yield plot.dot(x, y)
