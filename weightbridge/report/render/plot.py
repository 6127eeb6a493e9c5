"""A plot of shares from 0 to 1 against depth, as SVG: its frame, its ticks, its names and its points."""

from collections.abc import Iterator, Sequence
from html import escape

from weightbridge.report.escape import visible

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 360, 60, 48, 120
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_NAMES = 40


def framed(title: str, parts: Sequence[str]) -> str:
    """The whole picture, for a file of its own or a page."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{LEFT}" y="24" font-size="14">{escape(title)}</text>'
    )
    return f"{head}{''.join(parts)}</svg>\n"


def x_of(place: int, count: int) -> float:
    return LEFT + (place + 0.5) * (WIDTH - LEFT - 20) / count


def y_of(value: float) -> float:
    """What is out of range stands at the border."""
    return TOP + (1 - min(max(float(value), 0.0), 1.0)) * (HEIGHT - TOP - BOTTOM)


def ticks(*, is_percent: bool) -> Iterator[str]:
    for tick in TICKS:
        y, text = y_of(tick), f"{tick:.0%}" if is_percent else f"{tick:.2f}"
        yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eee"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{text}</text>'


def names(found: Sequence[str]) -> Iterator[str]:
    """Below the axis, as many as there is room for, the last always."""
    step, y = -(-len(found) // MOST_NAMES), HEIGHT - BOTTOM + 14
    for place in sorted({*range(0, len(found) - step + 1, step), len(found) - 1}):
        name, x = visible(found[place]), x_of(place, len(found))
        short = name if len(name) <= 22 else f"{name[:10]}…{name[-11:]}"
        turned = f'transform="rotate(-45 {x:.1f} {y})" text-anchor="end"'
        yield f'<text x="{x:.1f}" y="{y}" {turned} fill="#333">{escape(short)}</text>'


def curve(points: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="#0a7" stroke-width="2"/>'


def dot(x: float, y: float, color: str = "#0a7", words: str = "") -> str:
    """words: for the mouse."""
    title = f"<title>{escape(visible(words))}</title>" if words else ""
    shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"'
    return f"{shape}>{title}</circle>" if title else f"{shape}/>"
