"""The picture of a match: blocks of both models in the bands of their stages, joined by ribbons."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weightbridge.report.escape import html, visible
from weightbridge.report.render.html.assets import asset
from weightbridge.report.words import counted, dimensions
from weightbridge.views.match.bands import NARROW, WIDE, Columns, Layout, Placed, Row, Strand, layout
from weightbridge.views.match.matched import Box, Kind, Matched, Ribbon

Json = Mapping[str, Any]
NAME, SMALL = 8.0, 6.4  # pixels a character at most, in names and in the rest
EDGE, INSET = 4.0, 9.0
WORDS: dict[Kind, str] = {
    "exact": "exact",
    "adapted": "adapted",
    "fresh": "fresh",
    "kept": "kept",
    "used": "used",
    "equal": "equal",
    "first": "first to differ",
    "after": "differs after it",
    "idle": "not used",
}


def pictures(match: Matched, report: Json) -> str:
    """For a page: a wide one and one for narrow windows, of which its style shows one."""
    names = _names(report)
    wide = _svg(layout(match, WIDE), names, 'class="match wide-only"')
    return wide + _svg(layout(match, NARROW), names, 'class="match narrow-only"')


def alone(match: Matched, report: Json) -> str:
    """A file of its own, with its colours and its legend."""
    style = f"<style>{asset('colors.css')}{asset('match.css')}</style>"
    drawn = layout(match, WIDE)
    namespace = 'xmlns="http://www.w3.org/2000/svg" class="match"'
    size = f'width="{drawn.columns.width:.0f}" height="{drawn.height + LEGEND:.0f}"'
    return _svg(drawn, _names(report), f"{namespace} {size}", style, legend(match)) + "\n"


def described(match: Matched) -> str:
    """The picture in words, for those who cannot see it."""
    source, target = counted(len(match.source), "block"), counted(len(match.target), "block")
    return f"{source} of the source and {target} of the target, {counted(len(match.ribbons), 'pair')} joined"


def legend(match: Matched) -> list[tuple[str, str]]:
    """Class and words of each colour that the picture has."""
    boxes = (*match.source, *match.target)
    kinds = {kind for box in boxes for kind, _ in box.shares}
    shown = [(str(kind), _word(kind, match)) for kind in WORDS if kind in kinds]
    asked = [("asked", "more than one source fits")] if any(box.asked for box in boxes) else []
    return shown + asked


LEGEND = 34.0


def _word(kind: Kind, match: Matched) -> str:
    return "not compared" if kind == "idle" and match.is_compared else WORDS[kind]


def _names(report: Json) -> tuple[str, str]:
    source, target = (report[side].get("path", "") if report[side] else "" for side in ("source", "target"))
    return Path(source).name or source, Path(target).name or target


def _svg(
    drawn: Layout,
    names: tuple[str, str],
    attributes: str,
    style: str = "",
    samples: list[tuple[str, str]] | None = None,
) -> str:
    height = drawn.height + (LEGEND if samples else 0)
    columns = drawn.columns
    box = f'viewBox="0 0 {columns.width:.0f} {height:.0f}"'
    title = html(f"{names[0]} and {names[1]}: {counted(len(drawn.strands), 'pair')} of blocks joined")
    lines = (
        f'<svg {attributes} {box} role="img" aria-label="{title}">{style}',
        f'<rect class="ground" width="{columns.width:.0f}" height="{height:.0f}"/>' if style else "",
        *_heads(drawn.columns, names),
        *(_band(row, columns) for row in drawn.rows),
        *(_strand(strand, drawn) for strand in drawn.strands),
        *(_box(i, placed, columns, is_source=True) for i, placed in enumerate(drawn.source)),
        *(_box(i, placed, columns, is_source=False) for i, placed in enumerate(drawn.target)),
        *_samples(samples or [], drawn.height + 12, columns.label),
        "</svg>",
    )
    return "\n".join(line for line in lines if line) + "\n"


def _heads(columns: Columns, names: tuple[str, str]) -> Iterator[str]:
    for x, side, name in ((columns.left, "SOURCE", names[0]), (columns.right, "TARGET", names[1])):
        yield f'<text class="side" x="{x:.0f}" y="20">{side}</text>'
        yield f'<text class="model" x="{x:.0f}" y="38">{html(fitting(name, columns.box / NAME))}</text>'


def _band(row: Row, columns: Columns) -> str:
    x, middle = (4 if columns.is_narrow else 14), row.y + row.height / 2 + 4
    size = f'width="{columns.width:.0f}" height="{row.height:.1f}"'
    frame = f'<rect class="band" x="0" y="{row.y:.1f}" {size} rx="7"/>'
    label = f'<text class="stage" x="{x}" y="{middle:.1f}">{html(row.label)}</text>' if row.label else ""
    return frame + label


def _strand(strand: Strand, drawn: Layout) -> str:
    columns, ribbon = drawn.columns, strand.ribbon
    a, b = columns.left + columns.box, columns.right
    middle = (a + b) / 2
    top = strand.source_y, strand.target_y
    bottom = strand.source_y + strand.source_height, strand.target_y + strand.target_height
    path = (
        f"M{a:.0f} {top[0]:.1f}C{middle:.0f} {top[0]:.1f} {middle:.0f} {top[1]:.1f} {b:.0f} {top[1]:.1f}"
        f"V{bottom[1]:.1f}C{middle:.0f} {bottom[1]:.1f} {middle:.0f} {bottom[0]:.1f} {a:.0f} {bottom[0]:.1f}Z"
    )
    asked = " asked" if ribbon.is_asked else ""
    source, target = drawn.source[ribbon.source].box, drawn.target[ribbon.target].box
    words = html(f"{source.block.name} → {target.block.name}: {_said(ribbon)}")
    tip = "" if columns.is_narrow else f"<title>{words}</title>"
    ends = f'data-source="{ribbon.source}" data-target="{ribbon.target}"'
    drawing = f'<path class="ribbon {ribbon.kind}{asked}" {ends} d="{path}">{tip}</path>'
    if ribbon.kind != "first" or columns.is_narrow:
        return drawing
    y = strand.target_y + strand.target_height / 2 + 4
    return f'{drawing}<text class="model end" x="{b - 10:.0f}" y="{y:.1f}">{WORDS["first"]}</text>'


def _said(ribbon: Ribbon) -> str:
    """`2 tensors, adapted, more than one source fits`."""
    kind = "not compared" if ribbon.kind == "idle" else WORDS[ribbon.kind]
    asked = ", more than one source fits" if ribbon.is_asked else ""
    return f"{counted(ribbon.steps, 'tensor')}, {kind}{asked}"


def _box(number: int, placed: Placed, columns: Columns, *, is_source: bool) -> str:
    box = placed.box
    place = f'x="{placed.x:.1f}" y="{placed.y:.1f}" width="{placed.width:.0f}" height="{placed.height:.1f}"'
    frame = f'<rect class="box {box.outcome or ""}" {place} rx="4"/>'
    edge = placed.x + placed.width - EDGE if is_source else placed.x
    texts = "".join(_texts(placed, columns, is_source=is_source))
    side = f'data-{"source" if is_source else "target"}="{number}"'
    tip = "" if columns.is_narrow else _tip(box, is_source=is_source)  # there is no mouse
    return f"<g {side}>{tip}{frame}{''.join(_edges(placed, edge))}{texts}</g>"


def _edges(placed: Placed, x: float) -> Iterator[str]:
    """The bar at the ribbons' side: the box's tensors by what becomes of them."""
    y = placed.y
    for kind, number in placed.box.shares:
        height = placed.height * number / max(placed.box.tensors, 1)
        yield f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{EDGE:.0f}" height="{height:.1f}"/>'
        y += height


def _texts(placed: Placed, columns: Columns, *, is_source: bool) -> Iterator[str]:
    """Name and shape, then ops and what becomes of the tensors; narrow boxes have two of these."""
    box = placed.box
    left = placed.x + INSET + (0 if is_source else EDGE)
    right = placed.x + placed.width - INSET - (EDGE if is_source else 0)
    y = placed.y + placed.height / 2
    shape = dimensions(box.shape).replace("x", "×") if box.shape and not columns.is_narrow else ""
    told = told_of(box, is_source=is_source)
    room = right - left
    name = fitting(box.block.name, (room - (len(shape) * SMALL + 6 if shape else 0)) / NAME)
    yield f'<text class="name" x="{left:.1f}" y="{y - 2.5:.1f}">{html(name)}</text>'
    if shape:
        yield f'<text class="small end" x="{right:.1f}" y="{y - 2.5:.1f}">{shape}</text>'
    if columns.is_narrow:
        yield f'<text class="small" x="{left:.1f}" y="{y + 10:.1f}">{fitting(told, room / SMALL)}</text>'
        return
    ops = fitting(ops_of(box), (room - len(told) * SMALL - 6) / SMALL)
    yield f'<text class="small" x="{left:.1f}" y="{y + 10:.1f}">{html(ops)}</text>'
    yield f'<text class="small end" x="{right:.1f}" y="{y + 10:.1f}">{told}</text>'


def ops_of(box: Box) -> str:
    """`×2 6 Conv, 1 Dense`."""
    repeats = f"×{box.block.repeats} " if box.block.repeats > 1 else ""
    return repeats + ", ".join(f"{number:,} {op}" for op, number in box.ops)


def told_of(box: Box, *, is_source: bool) -> str:
    """`4 of 6 used`, `12 adapted`, `11 exact, 2 asked`."""
    counts = dict(box.shares)
    if box.outcome or (set(counts) == {"idle"} and not is_source):
        return counted(box.tensors, "tensor")
    if is_source:
        return f"{counts.get('used', 0):,} of {box.tensors:,} used"
    parts = [f"{number:,} {WORDS[kind]}" for kind, number in box.shares]
    return ", ".join(parts + ([f"{box.asked:,} asked"] if box.asked else []))


def _tip(box: Box, *, is_source: bool) -> str:
    """The whole text, for what is cut."""
    outcome = f"; {WORDS[box.outcome]}" if box.outcome else ""
    words = f"{box.block.name}: {ops_of(box)}; {told_of(box, is_source=is_source)}{outcome}"
    return f"<title>{html(words)}</title>"


def _samples(samples: list[tuple[str, str]], y: float, x: float) -> Iterator[str]:
    for kind, words in samples:
        yield f'<rect class="sample {kind}" x="{x:.0f}" y="{y:.0f}" width="11" height="11" rx="3"/>'
        yield f'<text class="small" x="{x + 17:.0f}" y="{y + 9.5:.0f}">{words}</text>'
        x += 17 + len(words) * SMALL + 18


def fitting(text: str, characters: float) -> str:
    """The end tells blocks apart, so it keeps most of the room, and what goes stands before it."""
    shown = visible(text)
    most = max(int(characters), 1)
    if len(shown) <= most:
        return shown
    behind = (most - 1) * 2 // 3
    return f"{shown[: most - 1 - behind]}…{shown[len(shown) - behind :]}"
