"""Steps that do not count: Masking, and recurrent layers that leave such steps out.

The own writer moves the steps that count to the front, and gives ONNX's node their number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from weightbridge.converting.from_graph.recognise.pattern import Edit, Is, Match, edited, is_same, matched
from weightbridge.model.graph import Edge, Layer, LayerGraph, Port
from weightbridge.model.vocabulary import RECURRENT, VIEWS

LENGTHS, MASK, STATES = "sequence_lengths", "mask", "initial_state"
SHOWN = Is(
    "Mul",
    ("x", Is("ReduceMax", (Is("Cast", (Is("NotEqual", ("x",), "kept"),)),), "any")),
)
NUMBERED = Is("Sub", (Is("CumSum", (Is("Cast", ("mask",)),)),))
SORTED = Is("TopK", (Is("Where", ("mask", NUMBERED, Is("Add", (NUMBERED,)))),), "sorted")
COUNTED = Is("Cast", (Is("ReduceSum", (Is("Cast", ("mask",)),)),))
COUNTS = Is("Unsqueeze", (Is("Cast", ("mask",)),), "wide")
MEAN = Is("Div", (Is("ReduceSum", (Is("Mul", ("x", COUNTS)),), "total"), Is("ReduceSum", (COUNTS,), "count")))
APART, TOGETHER = (2, 0, 1, 3), (1, 2, 0, 3)  # the batch in front, and behind the directions again
CHOSEN = Is("Where", (Is("Unsqueeze", ("shown",)), "found"))
PICKING = ("GatherND", "PickedByItem")  # the second where the shapes are known
BETWEEN = frozenset({"Slice", "Where", "Concat", *PICKING})


def masking(graph: LayerGraph) -> LayerGraph:
    return edited(graph, _masked(graph))


def _masked(graph: LayerGraph) -> Iterator[Edit]:
    """x * any(x != value)"""
    for layer in graph.layers:
        found = matched(graph, layer, SHOWN) if layer.class_name == "Mul" else None
        if found is None or not found.layers["any"].settings.get("keepdims", True):
            continue
        value, shape = _number(found.layers["kept"]), layer.output_shape
        axes = found.layers["any"].settings.get("axes")
        if value is not None and shape is not None and axes in ((len(shape),), (-1,)):
            told = {"mask_value": value, "kept": found.layers["kept"].name}
            made = Layer(layer.name, "Opaque", "Masking", told, output_shape=shape)
            yield Edit(made, ((found.values["x"], ""),))


def _number(layer: Layer) -> float | None:
    told = layer.settings.get("arguments")
    number = told[1] if isinstance(told, tuple) and len(told) == 2 else None
    return float(number) if isinstance(number, int | float) else None


def masked_mean(graph: LayerGraph) -> LayerGraph:
    """sum(x * mask) / sum(mask) over the steps"""
    return edited(graph, _means(graph))


def _means(graph: LayerGraph) -> Iterator[Edit]:
    for layer in graph.layers:
        found = matched(graph, layer, MEAN) if layer.class_name == "Div" else None
        if found is not None and _is_over_steps(found):
            told = {"keepdims": bool(found.layers["total"].settings.get("keepdims", True))}
            made = Layer(layer.name, "Opaque", "MaskedMean", told, output_shape=layer.output_shape)
            yield Edit(made, ((found.values["x"], ""), (found.values["mask"], "")))


def _is_over_steps(found: Match) -> bool:
    sums = [found.layers[name].settings for name in ("total", "count")]
    keeps = {bool(told.get("keepdims", True)) for told in sums}
    are_steps = all(told.get("axes") == (1,) for told in sums)
    return are_steps and len(keeps) == 1 and found.layers["wide"].settings.get("axes") in ((2,), (-1,))


def masked_steps(graph: LayerGraph) -> LayerGraph:
    """Each recurrent layer that counts its steps is fed the sequence as it is, and the mask."""
    for layer in graph.layers:
        if layer.op in RECURRENT:
            graph = _with_mask(graph, layer)
    return graph


def _with_mask(graph: LayerGraph, layer: Layer) -> LayerGraph:
    edges = {edge.keyword: edge for edge in graph.edges_into[layer.name]}
    if not edges.keys() >= {"", LENGTHS}:
        return graph
    turn = graph.by_name[edges[""].source]
    told = matched(graph, graph.by_name[edges[LENGTHS].source], COUNTED)
    moved = _moved(graph, turn)
    if told is None or moved is None or not _sorts(graph, moved.values["order"], told):
        return graph
    places = _places(graph, layer)
    mask = told.values["mask"]
    is_told_states = any(keyword.startswith(STATES) for keyword in edges)  # Keras hands it no mask then
    is_handed_on = not is_told_states and _is_handed_on(graph, moved.values["x"].source, mask)
    details = {
        **layer.details,
        "zero_output_for_mask": _is_zero(graph, places, mask),
        "handed_mask": mask.source if is_handed_on else "",
        "mask": _identity(graph, mask),
    }
    given = edges if is_handed_on else {**edges, MASK: mask}
    fed = tuple((edge, keyword) for keyword, edge in given.items() if keyword != LENGTHS)
    edits = [Edit(replace(layer, details=details), fed), Edit(turn, ((moved.values["x"], ""),))]
    ports = dict.fromkeys(places, 0) | _kept_states(graph, layer)
    return edited(_rewired(graph, layer.name, ports), edits)


def _moved(graph: LayerGraph, turn: Layer) -> Match | None:
    """The sequence with the steps that count in front, before it is turned."""
    tried = (
        matched(graph, turn, Is("Permute", (Is(class_name, ("x", Is("Unsqueeze", ("order",)))),)))
        for class_name in PICKING
    )
    return next((found for found in tried if found is not None), None)


def _identity(graph: LayerGraph, mask: Edge) -> str:
    """What tells a mask from others: that which a Masking makes is called by what it compares."""
    made = graph.by_name[mask.source]
    return graph.parents[made.name][0] if made.class_name == "Any" else made.name


def _is_handed_on(graph: LayerGraph, source: str, mask: Edge) -> bool:
    """Whether what feeds a layer has this mask in Keras: Masking makes it, a layer with it hands it on."""
    layer = graph.by_name[source]
    while layer.op in VIEWS and len(graph.parents[layer.name]) == 1:
        layer = graph.by_name[graph.parents[layer.name][0]]
    if layer.op in RECURRENT:
        return layer.settings.get("handed_mask") == mask.source
    made = graph.by_name[mask.source]
    is_any = made.class_name == "Any" and layer.class_name == "Masking"
    return is_any and graph.parents[made.name] == (layer.settings["kept"],)


def _sorts(graph: LayerGraph, order: Edge, told: Match) -> bool:
    """Whether the places come from a sort of the steps by the same mask."""
    found = matched(graph, graph.by_name[order.source], SORTED) if order.port == 1 else None
    return found is not None and is_same(found.values["mask"], told.values["mask"])


def _places(graph: LayerGraph, layer: Layer) -> tuple[str, ...]:
    """What gives the sequence with each step in its own place again."""
    found: list[str] = []
    for name in _readers(graph, layer.name, 0):
        turned = graph.by_name[name]
        if turned.settings.get("order") == APART:
            found += _turned_back(graph, name)
    return tuple(dict.fromkeys(found))


def _turned_back(graph: LayerGraph, name: str) -> list[str]:
    found: list[str] = []
    for reader in graph.children[name]:
        layer = graph.by_name[reader]
        if layer.settings.get("order") == TOGETHER:
            found.append(reader)
        elif layer.op in BETWEEN or layer.class_name in BETWEEN:
            found += _turned_back(graph, reader)
    return found


def _is_zero(graph: LayerGraph, places: tuple[str, ...], mask: Edge) -> bool:
    """Whether steps that do not count give zeros: the mask itself chooses."""
    for place in places:
        shown = matched(graph, graph.by_name[place], Is("Permute", (CHOSEN,)))
        if shown is not None:
            return is_same(shown.values["shown"], mask)
    return False


def _kept_states(graph: LayerGraph, layer: Layer) -> dict[str, int]:
    """Choices between a state and what it was before, where no step counts: the state itself."""
    found = {}
    for edge in graph.edges:
        reader = graph.by_name[edge.target]
        if edge.source == layer.name and edge.port and reader.class_name == "Where" and edge.keyword == "x":
            found[reader.name] = edge.port
    return found


def _readers(graph: LayerGraph, name: str, port: int) -> list[str]:
    return [edge.target for edge in graph.edges if edge.source == name and edge.port == port]


def _rewired(graph: LayerGraph, name: str, ports: Mapping[str, int]) -> LayerGraph:
    """What other layers gave, given by a layer's own outputs. ports: by the others' names."""
    edges = (
        replace(edge, source=name, port=ports[edge.source]) if edge.source in ports else edge
        for edge in graph.edges
    )
    ends = (Port(name, ports[port.layer]) if port.layer in ports else port for port in graph.output_ports)
    return replace(graph, edges=tuple(edges), output_ports=tuple(ends))
