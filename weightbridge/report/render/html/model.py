"""One model's layers as a picture, for the page of `inspect`."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.report.render.html.layered import Words, layered
from weightbridge.report.render.html.match import fitting
from weightbridge.views.boxes import Strip, picture
from weightbridge.views.labels import COLORS, Family

Json = Mapping[str, Any]
LIGHT: tuple[Family, ...] = ("shape", "input", "activation")
NAME, DETAIL = 36, 44  # characters that are shown
WITH_FLOW = "Data flow goes down."
WITHOUT_FLOW = "The file keeps no data flow: layers stand in its own order."


def model_picture(report: Json) -> tuple[str, str, list[str]]:
    """The picture, a sentence on it, and the families of layers that it has; nothing without a graph."""
    graph = report.get("graph")
    if not graph or not graph["layers"]:
        return "", "", []
    picked = picture(graph)
    mains = [_main(box) for box in picked.boxes]
    words = [_words(box, main) for box, main in zip(picked.boxes, mains, strict=True)]
    drawn = layered(picked.edges, words, [f"of-{main.family}" for main in mains], "layers of the model")
    used = {main.family for main in mains}
    return drawn, WITH_FLOW if graph["has_flow"] else WITHOUT_FLOW, [one for one in COLORS if one in used]


def _main(box: Sequence[Strip]) -> Strip:
    """The layer that the others lead to or follow."""
    return next((strip for strip in box if strip.family not in LIGHT), box[0])


def _words(box: Sequence[Strip], main: Strip) -> Words:
    """That layer's name, then what each layer is."""
    return (fitting(main.name, NAME), *(fitting(strip.detail, DETAIL) for strip in box))
