"""Each stage of a match in full: both models layer by layer, with what each box starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.plan.values import SHARE_OF
from weightbridge.report.render.html.layered import Words, layered
from weightbridge.report.render.html.match import fitting
from weightbridge.report.words import counted, dimensions
from weightbridge.views.boxes import picture
from weightbridge.views.match.bands import Layout, Placed
from weightbridge.views.match.matched import WORST, Kind
from weightbridge.views.match.outcomes import outcomes
from weightbridge.views.match.pieces import Block
from weightbridge.views.match.sides import graphs_of

Json = Mapping[str, Any]
MOST = 300  # layers of one side that are drawn
LONGEST = 30  # characters of a name
COLORS: tuple[Kind, ...] = ("first", "after", "equal", *WORST, "used")  # of a box: the worst of its layers
SHORT = {"BatchNorm": "BN", "LayerNorm": "LN", "Activation": "act"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One band of the picture. drawings: of the source and the target, with what stands in for one."""

    title: str
    words: str
    drawings: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """One model: its layers, what they are joined to, and in which colour they are drawn."""

    name: str
    graph: Json
    partners: Mapping[str, Sequence[str]]
    kinds: Mapping[str, Kind]


def stages(drawn: Layout, report: Json) -> tuple[Stage, ...]:
    """Those of the picture's bands where a file keeps data flow."""
    sides = tuple(_side(report, side) for side in ("source", "target"))
    found = (_stage(band, drawn, sides) for band in range(len(drawn.rows)))
    return tuple(stage for stage in found if any(svg for _, svg, _ in stage.drawings))


def _side(report: Json, side: str) -> _Side:
    graph = graphs_of(report)[side]
    if report["command"] == "verify":
        return _Side(side, graph, _partners(report, side), outcomes(report, side))
    kinds = _used(report) if side == "source" else _filled(report)
    return _Side(side, graph, _partners(report, side), kinds)


def _partners(report: Json, side: str) -> dict[str, Sequence[str]]:
    """The layers of the other model that each layer is joined to."""
    found: dict[str, dict[str, None]] = {}
    for step in report["steps"]:
        for source in step["source_layers"]:
            own, other = (source, step["layer"]) if side == "source" else (step["layer"], source)
            found.setdefault(own, {})[other] = None
    return {name: tuple(others) for name, others in found.items()}


def _used(report: Json) -> dict[str, Kind]:
    return {name: "used" for step in report["steps"] for name in step["source_layers"]}


def _filled(report: Json) -> dict[str, Kind]:
    """The worst of each layer's steps."""
    found: dict[str, set[Kind]] = {}
    for step in report["steps"]:
        found.setdefault(step["layer"], set()).add(SHARE_OF[step["kind"]])
    return {name: next(kind for kind in WORST if kind in kinds) for name, kinds in found.items()}


def _stage(band: int, drawn: Layout, sides: Sequence[_Side]) -> Stage:
    columns = [_of_band(column, band) for column in (drawn.source, drawn.target)]
    blocks = [_counted(sum(block.repeats for block in column)) for column in columns]
    drawings = tuple(_drawing(column, side) for column, side in zip(columns, sides, strict=True))
    words = f"layer by layer: {blocks[0]} of the source, {blocks[1]} of the target"
    return Stage(_title(drawn.rows[band].label), words, drawings)


def _counted(number: int) -> str:
    return counted(number, "block") if number else "none"


def _of_band(column: Sequence[Placed], band: int) -> list[Block]:
    return [placed.box.block for placed in column if placed.band == band]


def _title(label: str) -> str:
    if not label:
        return "Every layer"
    return f"Stage {label}" if "/" in label else f"The {label}"


def _drawing(column: Sequence[Block], side: _Side) -> tuple[str, str, str]:
    """The side, its picture, and a sentence for what is not drawn."""
    if not column or not side.graph["has_flow"]:
        return side.name, "", "its file keeps no data flow" if column else "nothing here"
    shown = [i for block in column for i in _first(block)]
    if len(shown) > MOST:
        return side.name, "", f"{counted(len(shown), 'layer')}, more than can be looked at"
    alike = [block for block in column if len(_first(block)) < len(block.layers)]
    said = "; ".join(f"{block.name}: the first of {block.repeats}" for block in alike)
    return side.name, _svg(shown, side), said


def _first(block: Block) -> tuple[int, ...]:
    """The layers of the first of blocks that are alike."""
    is_alike = block.repeats > 1 and len(block.layers) % block.repeats == 0
    return block.layers[: len(block.layers) // block.repeats] if is_alike else block.layers


def _svg(shown: Sequence[int], side: _Side) -> str:
    layers, inside = side.graph["layers"], set(shown)
    named = {layers[i][0]: _layer(layers[i]) for i in sorted(inside)}
    edges = [[layers[a][0], layers[b][0], 0] for a, b in side.graph["edges"] if a in inside and b in inside]
    picked = picture({"layers": list(named.values()), "edges": edges})
    words = [_words(members, named, side) for members in picked.members]
    kinds = [f"of-{_color(members, side)}" for members in picked.members]
    return layered(picked.edges, words, kinds, f"layers of the {side.name}")


def _layer(layer: Sequence[Any]) -> dict[str, Any]:
    """As the pictures of one model's layers take it."""
    name, op, shape, tensors, _ = layer
    plain = {"name": name, "op": op, "class_name": op, "attributes": {}, "output_shape": shape}
    return {**plain, "tensors": tensors}


def _words(members: Sequence[str], known: Mapping[str, Json], side: _Side) -> Words:
    """Name, ops with the shape, and what it is joined to."""
    ops = [SHORT.get(known[name]["op"], known[name]["op"]) or "?" for name in members]
    made = "+".join(ops[:4]) + ("+…" if len(ops) > 4 else "")
    shape = dimensions(known[members[-1]]["output_shape"]).replace("x", "×")
    name = next((name for name in members if known[name]["tensors"]), members[0])
    others = list(dict.fromkeys(other for name in members for other in side.partners.get(name, ())))
    more = f" +{len(others) - 1}" if len(others) > 1 else ""
    arrow = "→" if side.name == "source" else "←"
    joined = (f"{arrow} {fitting(others[0], LONGEST)}{more}",) if others else ()
    return (fitting(name, LONGEST), f"{fitting(made, LONGEST)} {shape}".strip(), *joined)


def _color(members: Sequence[str], side: _Side) -> Kind:
    found = {side.kinds[name] for name in members if name in side.kinds}
    return next((kind for kind in COLORS if kind in found), "idle")
