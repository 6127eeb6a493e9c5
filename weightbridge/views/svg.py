"""The graph as an SVG picture.

Boxes by op, data flow downwards, one file without scripts, fonts or links.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from weightbridge.report.escape import html, visible
from weightbridge.views.boxes import Picture, Strip, picture
from weightbridge.views.labels import COLORS, Family
from weightbridge.views.places import Box, Drawing, Point, place
from weightbridge.views.ranks import rows
from weightbridge.views.scopes import Scope, scopes

STRIP, CHARACTER, PADDING, LEGEND, SAMPLE = 16.0, 5.6, 8.0, 26.0, 92.0
NAME, DETAIL = 44, 40  # characters that are shown; the tool tip has the rest
STYLE = (
    "text{font:10px sans-serif;fill:#222}.n{font-weight:600}path{fill:none;stroke:#888}"
    ".b{fill:none;stroke:#666}.s{fill:#00000008;stroke:#aaa;stroke-dasharray:4 3}"
)
WITH_FLOW = "data flow goes down"
WITHOUT_FLOW = "the file keeps no data flow: layers stand in its own order"


def render(graph: Mapping[str, Any]) -> str:
    """Wide and high as it needs to be; more than some 1,500 layers are drawn as runs of layers."""
    shown = picture(graph)
    sizes = [_size(box) for box in shown.boxes]
    drawing = place(rows(len(shown.boxes), shown.edges), sizes)
    lines = (*_head(graph, shown, drawing), *_body(shown, drawing), "</g></svg>")
    return "\n".join(lines) + "\n"


def _size(box: tuple[Strip, ...]) -> tuple[float, float]:
    shown = ((_short(strip.name, NAME), _short(strip.detail, DETAIL)) for strip in box)
    longest = max(len(name) + 2 + len(detail) for name, detail in shown)
    return longest * CHARACTER + 2 * PADDING, STRIP * len(box)


def _head(graph: Mapping[str, Any], shown: Picture, drawing: Drawing) -> Iterator[str]:
    used = {strip.family for box in shown.boxes for strip in box}
    legend = [family for family in COLORS if family in used]
    width = max(drawing.width, len(legend) * SAMPLE + 20)
    size = f'width="{width:.0f}" height="{drawing.height + LEGEND:.0f}"'
    view_box = f'viewBox="0 0 {width:.0f} {drawing.height + LEGEND:.0f}"'
    flow = WITH_FLOW if graph["has_flow"] else WITHOUT_FLOW
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view_box}>'
    yield f"<title>{len(graph['layers'])} layers; {flow}</title><style>{STYLE}{_colors()}</style>"
    yield f'<rect {size} fill="#fff"/>'
    yield from (_sample(family, 10 + i * SAMPLE) for i, family in enumerate(legend))
    yield f'<g transform="translate({(width - drawing.width) / 2:.0f} {LEGEND:.0f})">'


def _colors() -> str:
    rules = (f".{_class(family)}{{fill:{color}}}" for family, color in COLORS.items())
    return "".join(rules)


def _sample(family: Family, left: float) -> str:
    square = f'<rect class="{_class(family)}" x="{left:.0f}" y="8" width="12" height="12" stroke="#666"/>'
    return f'{square}<text x="{left + 16:.0f}" y="18">{family}</text>'


def _class(family: Family) -> str:
    return f"k{list(COLORS).index(family)}"


def _body(shown: Picture, drawing: Drawing) -> Iterator[str]:
    boxes = drawing.boxes[: len(shown.boxes)]
    yield from (_scope(scope) for scope in scopes(shown.members, boxes))
    if drawing.paths:
        curves = "".join(curve(path) for path in drawing.paths)
        yield f'<path d="{curves}"/>'
    for strips, box in zip(shown.boxes, boxes, strict=True):
        yield from (_strip(strip, box, i) for i, strip in enumerate(strips))
        yield f'<rect class="b" {_frame(box)}/>'


def _scope(scope: Scope) -> str:
    x, y = scope.box.left + 4, scope.box.y + 10
    name = html(_short(scope.name, NAME))
    return f'<rect class="s" rx="6" {_frame(scope.box)}/><text x="{x:.0f}" y="{y:.0f}">{name}</text>'


def curve(path: Sequence[Point]) -> str:
    """Upright through the rows that it passes, curved between them."""
    x, y = path[0]
    pieces = [f"M{x:.0f} {y:.0f}"]
    for i, (start, end) in enumerate(pairwise(path)):
        is_upright = i % 2 == 0 or round(start[0]) == round(end[0])
        pieces.append(f"V{end[1]:.0f}" if is_upright else _bend(start, end))
    return "".join(pieces)


def _bend(start: Point, end: Point) -> str:
    (x, y), (to_x, to_y) = start, end
    middle = (y + to_y) / 2
    return f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"


def _strip(strip: Strip, box: Box, index: int) -> str:
    top = box.y + index * STRIP
    line = Box(box.x, top, box.width, STRIP)
    frame = f'<rect class="{_class(strip.family)}" {_frame(line)}/>'
    name, detail = html(_short(strip.name, NAME)), html(_short(strip.detail, DETAIL))
    words = f'<tspan class="n">{name}</tspan> {detail}'
    text = f'<text x="{box.left + PADDING:.0f}" y="{top + 11.5:.1f}">{words}</text>'
    return f"<g>{_tool_tip(strip)}{frame}{text}</g>"


def _tool_tip(strip: Strip) -> str:
    """The whole text where it is cut."""
    is_whole = _short(strip.name, NAME) == strip.name and _short(strip.detail, DETAIL) == strip.detail
    return "" if is_whole else f"<title>{html(strip.name)}: {html(strip.detail)}</title>"


def _frame(box: Box) -> str:
    return f'x="{box.left:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}"'


def _short(text: str, longest: int) -> str:
    """The end tells layers apart, so the middle goes."""
    shown = visible(text)
    if len(shown) <= longest:
        return shown
    half = longest // 2
    return f"{shown[: half - 2]}...{shown[1 - half :]}"
