"""Error against depth: a point for each layer that was compared, in units of the noise floor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, isfinite, log10
from typing import Any

from weightbridge.report.digest.depth import RATIO, layer_name
from weightbridge.report.escape import html
from weightbridge.report.render.html.match import SMALL, fitting
from weightbridge.report.words import measured
from weightbridge.views.match.outcomes import Outcome, outcome_of

Json = Mapping[str, Any]
LOWEST = 0.1  # of the floor
FOLDED = 400  # points, from which on they are smaller


@dataclass(frozen=True, slots=True)
class Point:
    """A layer. ratio, limit: None where they were not measured."""

    name: str
    status: str
    ratio: float | None
    limit: float | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Plane:
    """Where things are: the plotted part, and the decades of its axis."""

    width: float
    height: float
    left: float
    names: int
    count: int
    low: int
    high: int
    is_narrow: bool = False

    @property
    def bottom(self) -> float:
        return self.height - 44

    def x(self, place: int) -> float:
        room = self.width - self.left - 22
        return self.left + 8 + room * (place / (self.count - 1) if self.count > 1 else 0.5)

    def y(self, ratio: float) -> float:
        share = (log10(max(ratio, 10**self.low)) - self.low) / max(self.high - self.low, 1)
        return self.bottom - (self.bottom - 30) * min(share, 1.0)


def charts(report: Json) -> str:
    """A wide one and one for narrow windows; nothing where no layer was compared."""
    points = points_of(report)
    if not any(point.ratio is not None for point in points):
        return ""
    wide = _plane(points, 1072, 300, 58, 7)
    narrow = replace(_plane(points, 460, 250, 48, 3), is_narrow=True)
    return _svg(points, wide, 'class="chart wide-only"') + _svg(points, narrow, 'class="chart narrow-only"')


def points_of(report: Json) -> tuple[Point, ...]:
    """In the order of depth."""
    points: list[Point] = []
    has_first = False
    for layer in report["verification"]["layers"]:
        outcome = outcome_of(layer.get("status"), has_first=has_first)
        has_first = has_first or outcome == "first"
        ratio, limit = _number(layer.get(RATIO)), _number(layer.get("limit"))
        points.append(Point(layer_name(layer), str(layer.get("status", "")), ratio, limit, outcome))
    return tuple(points)


def _plane(points: Sequence[Point], width: float, height: float, left: float, names: int) -> Plane:
    known = [value for point in points for value in (point.ratio, point.limit) if value]
    low = floor(log10(max(min(known, default=1.0), LOWEST)) - 0.01)
    high = max(ceil(log10(max(known, default=1.0)) + 0.2), low + 1)
    return Plane(width, height, left, min(names, len(points)), len(points), low, high)


def _svg(points: Sequence[Point], plane: Plane, attributes: str) -> str:
    box = f'viewBox="0 0 {plane.width:.0f} {plane.height:.0f}"'
    lines = (
        f'<svg {attributes} {box} role="img" aria-label="Error of each layer by depth">',
        *_grid(plane),
        *_allowed(points, plane),
        *_line(points, plane),
        *_first(points, plane),
        *_points(points, plane),
        *_labels(points, plane),
        "</svg>",
    )
    return "\n".join(lines) + "\n"


def _grid(plane: Plane) -> Iterator[str]:
    step = max(ceil((plane.high - plane.low) / 6), 1)
    for power in range(plane.low, plane.high + 1, step):
        y = plane.y(10.0**power)
        label = f"1e{power}" if power > 3 else f"{10.0**power:g}"
        yield f'<path class="grid" d="M{plane.left:.0f} {y:.1f}H{plane.width - 10:.0f}"/>'
        yield f'<text class="small end" x="{plane.left - 8:.0f}" y="{y + 3.5:.1f}">{label}</text>'


def _allowed(points: Sequence[Point], plane: Plane) -> Iterator[str]:
    """What is no more than the limit is as equal as the noise floor can tell."""
    known = [(plane.x(i), plane.y(point.limit)) for i, point in enumerate(points) if point.limit]
    if not known:
        return
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in known)
    (start, y), (end, _) = known[0], known[-1]
    yield f'<path class="zone" d="M{path}L{end:.1f} {plane.bottom:.1f}H{start:.1f}Z"/>'
    yield f'<path class="limit" d="M{path}"/>'
    limit = next(point.limit for point in points if point.limit)
    words = f"allowed: {measured(limit)} times the floor"
    yield f'<text class="small" x="{start + 4:.0f}" y="{y - 5:.1f}">{words}</text>'


def _line(points: Sequence[Point], plane: Plane) -> Iterator[str]:
    known = [(plane.x(i), plane.y(point.ratio)) for i, point in enumerate(points) if point.ratio is not None]
    if len(known) > 1:
        yield f'<path class="curve" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in known)}"/>'


def _first(points: Sequence[Point], plane: Plane) -> Iterator[str]:
    for i, point in enumerate(points):
        if point.outcome == "first":
            x = plane.x(i)
            is_right = x > plane.width / 2
            room = (x - plane.left if is_right else plane.width - x) / 8 - 18
            words = html(f"first to differ: {fitting(point.name, max(room, 8))}")
            kind, at = ("model first end", x - 8) if is_right else ("model first", x + 8)
            yield f'<path class="at" d="M{x:.1f} 8V{plane.bottom:.1f}"/>'
            yield f'<text class="{kind}" x="{at:.1f}" y="20">{words}</text>'


def _points(points: Sequence[Point], plane: Plane) -> Iterator[str]:
    """Each with its words for the mouse; in a narrow window, where there is none, a path for each outcome."""
    if not plane.is_narrow:
        yield from (_point(i, point, plane) for i, point in enumerate(points))
        return
    places: dict[str, list[str]] = {}
    for i, point in enumerate(points):
        place = f"M{plane.x(i):.1f} {plane.y(_height(point, plane)):.1f}h0"
        places.setdefault(point.outcome or "idle", []).append(place)
    for kind, found in places.items():
        yield f'<path class="dots at-{kind}" d="{"".join(found)}"/>'


def _point(place: int, point: Point, plane: Plane) -> str:
    size = 2.8 if plane.count <= FOLDED else 1.7
    radius = 2 * size if point.outcome == "first" else size
    y = plane.y(_height(point, plane))
    where = f'cx="{plane.x(place):.1f}" cy="{y:.1f}" r="{radius:.1f}"'
    allowed = f", {measured(point.limit)} allowed" if point.limit else ""
    ratio = "not measured" if point.ratio is None else f"{measured(point.ratio)} times the noise floor"
    words = html(f"{point.name}: {ratio}{allowed}; {point.status}")
    return f'<circle class="{point.outcome or "idle"}" {where}><title>{words}</title></circle>'


def _height(point: Point, plane: Plane) -> float:
    """What is infinite or not a number stands at the top, what was not measured at the bottom."""
    if point.ratio is not None:
        return point.ratio
    return 10.0 ** (plane.high if point.outcome in ("first", "after") else plane.low)


def _labels(points: Sequence[Point], plane: Plane) -> Iterator[str]:
    """The names of some layers, evenly spread."""
    room = (plane.width - plane.left) / max(plane.names, 1) / SMALL - 2
    last = max(plane.names - 1, 1)
    for k in range(plane.names):
        i = (len(points) - 1) * k // last
        kind = {0: "small", last: "small end"}.get(k, "small mid")
        name = html(fitting(points[i].name, room))
        yield f'<text class="{kind}" x="{plane.x(i):.1f}" y="{plane.bottom + 18:.1f}">{name}</text>'
    middle = (plane.left + plane.width) / 2
    yield f'<text class="small mid" x="{middle:.0f}" y="{plane.height - 6:.0f}">layers by depth</text>'


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and isfinite(value) and value >= 0 else None
