"""The graph as an SVG picture: boxes by op, data flow downwards, one file without scripts, fonts or links."""

from collections.abc import Iterator, Mapping
from typing import Any

from weightbridge.report.escape import html, visible
from weightbridge.views.boxes import Picture, Strip, picture
from weightbridge.views.labels import COLORS, Family
from weightbridge.views.places import Box, Drawing, place
from weightbridge.views.ranks import rows
from weightbridge.views.scopes import Scope, scopes

STRIP, CHARACTER, PADDING, LEGEND, SAMPLE = 16.0, 5.6, 8.0, 26.0, 92.0
NAME, DETAIL = 44, 40  # characters that are shown; the tool tip has the rest
STYLE = (
    "text{font:10px sans-serif;fill:#222}.n{font-weight:600}path{fill:none;stroke:#888}"
    ".b{fill:none;stroke:#666}.s{fill:#00000008;stroke:#aaa;stroke-dasharray:4 3}"
)


def render(graph: Mapping[str, Any]) -> str:
    """Wide and high as it needs to be; more than some 1,500 layers are drawn as runs of layers."""
    shown = picture(graph)
    drawing = place(rows(len(shown.boxes), shown.edges), [_size(box) for box in shown.boxes])
    return "\n".join((*_head(graph, shown, drawing), *_body(shown, drawing), "</g></svg>")) + "\n"


def _size(box: tuple[Strip, ...]) -> tuple[float, float]:
    longest = max(len(_short(strip.name, NAME)) + 2 + len(_short(strip.detail, DETAIL)) for strip in box)
    return longest * CHARACTER + 2 * PADDING, STRIP * len(box)


def _head(graph: Mapping[str, Any], shown: Picture, drawing: Drawing) -> Iterator[str]:
    used = {strip.family for box in shown.boxes for strip in box}
    legend = [family for family in COLORS if family in used]
    width, height = max(drawing.width, len(legend) * SAMPLE + 20), drawing.height + LEGEND
    flow = (
        "data flow goes down"
        if graph["has_flow"]
        else "the file keeps no data flow: layers stand in its own order"
    )
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">'
    yield f"<title>{len(graph['layers'])} layers; {flow}</title><style>{STYLE}{_colors()}</style>"
    yield f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>'
    yield from (_sample(family, 10 + i * SAMPLE) for i, family in enumerate(legend))
    yield f'<g transform="translate({(width - drawing.width) / 2:.0f} {LEGEND:.0f})">'


def _colors() -> str:
    return "".join(f".{_class(family)}{{fill:{color}}}" for family, color in COLORS.items())


def _sample(family: Family, left: float) -> str:
    square = f'<rect class="{_class(family)}" x="{left:.0f}" y="8" width="12" height="12" stroke="#666"/>'
    return f'{square}<text x="{left + 16:.0f}" y="18">{family}</text>'


def _class(family: Family) -> str:
    return f"k{list(COLORS).index(family)}"


def _body(shown: Picture, drawing: Drawing) -> Iterator[str]:
    boxes = drawing.boxes[: len(shown.boxes)]
    yield from (_scope(scope) for scope in scopes(shown.members, boxes))
    if drawing.paths:
        yield f'<path d="{"".join(map(_curve, drawing.paths))}"/>'
    for strips, box in zip(shown.boxes, boxes, strict=True):
        yield from (_strip(strip, box, i) for i, strip in enumerate(strips))
        yield f'<rect class="b" {_frame(box)}/>'


def _scope(scope: Scope) -> str:
    x, y = scope.box.x - scope.box.width / 2, scope.box.y
    label = f'<text x="{x + 4:.0f}" y="{y + 10:.0f}">{html(_short(scope.name, NAME))}</text>'
    return f'<rect class="s" rx="6" {_frame(scope.box)}/>{label}'


def _curve(path: tuple[tuple[float, float], ...]) -> str:
    """Upright through the rows that it passes, curved between them."""
    x, y = path[0]
    parts = [f"M{x:.0f} {y:.0f}"]
    for i, (to_x, to_y) in enumerate(path[1:]):
        middle = (y + to_y) / 2
        straight = i % 2 == 0 or round(x) == round(to_x)
        parts.append(
            f"V{to_y:.0f}"
            if straight
            else f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"
        )
        x, y = to_x, to_y
    return "".join(parts)


def _strip(strip: Strip, box: Box, index: int) -> str:
    x, y = box.x - box.width / 2, box.y + index * STRIP
    name, detail = html(_short(strip.name, NAME)), html(_short(strip.detail, DETAIL))
    tip = f"<title>{html(strip.name)}: {html(strip.detail)}</title>" if _is_cut(strip) else ""
    frame = f'<rect class="{_class(strip.family)}" x="{x:.0f}" y="{y:.0f}" width="{box.width:.0f}" height="{STRIP:.0f}"/>'
    return f'<g>{tip}{frame}<text x="{x + PADDING:.0f}" y="{y + 11.5:.1f}"><tspan class="n">{name}</tspan> {detail}</text></g>'


def _frame(box: Box) -> str:
    return (
        f'x="{box.x - box.width / 2:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}"'
    )


def _is_cut(strip: Strip) -> bool:
    return _short(strip.name, NAME) != strip.name or _short(strip.detail, DETAIL) != strip.detail


def _short(text: str, longest: int) -> str:
    """The end tells layers apart, so the middle goes."""
    shown = visible(text)
    return shown if len(shown) <= longest else f"{shown[: longest // 2 - 2]}...{shown[-(longest // 2 - 1) :]}"
