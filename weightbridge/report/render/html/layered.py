"""A layered graph as a picture in a page's colours: boxes of some lines each, data flow downwards."""

from collections.abc import Sequence

from weightbridge.report.escape import html
from weightbridge.report.render.html.match import NAME, SMALL
from weightbridge.views.forward import Edge
from weightbridge.views.places import Box, place
from weightbridge.views.ranks import rows
from weightbridge.views.svg import curve

LINE, PAD = 13.0, 7.0
Words = tuple[str, ...]  # the name first


def layered(edges: Sequence[Edge], words: Sequence[Words], kinds: Sequence[str], label: str) -> str:
    """kinds: the class of each box, for its colour. Lines fit their boxes, which are as wide as they need."""
    made = place(rows(len(words), edges), [_size(lines) for lines in words])
    width, height = f"{made.width:.0f}", f"{made.height:.0f}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    paths = "".join(map(curve, made.paths))
    boxes = zip(made.boxes, words, kinds, strict=False)  # helpers of edges come behind the boxes
    lines = (
        f'<svg class="layers" {size} role="img" aria-label="{html(label)}">',
        f'<path class="flow" d="{paths}"/>' if paths else "",
        *(_box(box, texts, kind) for box, texts, kind in boxes),
        "</svg>",
    )
    return "\n".join(line for line in lines if line) + "\n"


def _size(lines: Words) -> tuple[float, float]:
    name, *rest = lines
    longest = max(len(name) * NAME, *(len(line) * SMALL for line in rest))
    return longest + 2 * PAD, LINE * len(lines) + PAD


def _box(box: Box, lines: Words, kind: str) -> str:
    frame = f'x="{box.left:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="3"'
    texts = []
    for i, line in enumerate(lines):
        style = "name" if i == 0 else "small joins" if line[:1] in "→←" else "small"
        y = box.y + 13 + i * LINE
        texts.append(f'<text class="{style}" x="{box.left + PAD:.0f}" y="{y:.0f}">{html(line)}</text>')
    return f'<g><rect class="layer {kind}" {frame}/>{"".join(texts)}</g>'
