"""The scores of `advise`: a table for the text report, and a picture of accuracy against depth."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from weightbridge.report.escape import visible
from weightbridge.report.render.layout import BLANK, Line, fitted, line, padded

ROWS = 16  # of the table; the JSON has all
NAMES = 36
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 360, 60, 48, 120
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
    xs = [LEFT + (n + 0.5) * (WIDTH - LEFT - 20) / len(cuts) for n in range(len(cuts))]
    ys = [_y(record[key]) for record in cuts]
    parts = [*_axes(key), *_points(cuts, key, xs, ys), *_names(cuts, xs)]
    if key == "accuracy":
        y = _y(found["chance"])
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" {CHANCE}/>')
    title = f"{'Accuracy' if key == 'accuracy' else 'R2'} of a ridge probe on each cut's features"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{LEFT}" y="24" font-size="14">{title}</text>'
    )
    return f"{head}{''.join(parts)}</svg>\n"


CHANCE = 'stroke="#999" stroke-dasharray="4 3"'


def _y(value: float) -> float:
    return TOP + (1 - min(max(float(value), 0.0), 1.0)) * (HEIGHT - TOP - BOTTOM)


def _axes(key: str) -> Iterator[str]:
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y, text = _y(tick), f"{tick:.0%}" if key == "accuracy" else f"{tick:.2f}"
        yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eee"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{text}</text>'


def _points(cuts: list[Mapping[str, Any]], key: str, xs: list[float], ys: list[float]) -> Iterator[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    yield f'<polyline points="{path}" fill="none" stroke="#0a7" stroke-width="2"/>'
    for record, x, y in zip(cuts, xs, ys, strict=True):
        error = record.get("accuracy_error") if key == "accuracy" else None
        if error:
            low, high = _y(record[key] - error), _y(record[key] + error)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="#0a7"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#0a7"/>'


def _names(cuts: list[Mapping[str, Any]], xs: list[float]) -> Iterator[str]:
    for record, x in zip(cuts, xs, strict=True):
        name, y = visible(record["cut"]), HEIGHT - BOTTOM + 14
        short = name if len(name) <= 22 else f"{name[:10]}…{name[-11:]}"
        turned = f'transform="rotate(-45 {x:.1f} {y})" text-anchor="end"'
        yield f'<text x="{x:.1f}" y="{y}" {turned} fill="#333">{escape(short)}</text>'
