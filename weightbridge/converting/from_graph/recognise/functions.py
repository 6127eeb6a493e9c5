"""Functions that Keras has by name and ONNX in several nodes, log_sigmoid for one."""

from collections.abc import Iterator, Mapping

from weightbridge.converting.from_graph.recognise.pattern import Edit, Is, Test, edited, matched, renamed
from weightbridge.model.activations import clipped
from weightbridge.model.graph import Layer, LayerGraph


def _computes(name: str) -> Test:
    return lambda layer: layer.settings.get("activation") == name


def _is_line(scale: float, offset: float) -> Test:
    return lambda layer: (layer.settings.get("scale"), layer.settings.get("offset")) == (scale, offset)


def _line(fed: "Is | str", scale: float, offset: float, label: str = "") -> Is:
    return Is("Rescaling", (fed,), label, _is_line(scale, offset))


def _unit_step(fed: Is) -> Is:
    """Cut at 0 and 1."""
    bounds = clipped(0.0, 1.0)
    return Is("Activation", (fed,), test=lambda layer: layer.settings.get("activation") == bounds)


FIRST = "first"  # the layer that has the name where the file's own writer gave one to all of them
SQUARED = _line(Is("Multiply", ("x", "x"), FIRST), 1.0, 4.0)
BETWEEN = _unit_step(_line(_line("x", 1.0, 1.0, FIRST), 0.5, 0.0))
ABOVE = Is("Activation", (_line("x", 1.0, -1.0),), test=_computes("relu"))
FUNCTIONS: Mapping[str, Is] = {
    "log_sigmoid": Is("Neg", (Is("Activation", (Is("Neg", ("x",), FIRST),), test=_computes("softplus")),)),
    "tanh_shrink": Is("Subtract", ("x", Is("Activation", ("x",), FIRST, _computes("tanh")))),
    "squareplus": _line(Is("Add", ("x", Is("Sqrt", (SQUARED,)))), 0.5, 0.0),
    "sparse_plus": Is("Add", (Is("Multiply", (BETWEEN, BETWEEN)), ABOVE)),
}


def functions(graph: LayerGraph) -> LayerGraph:
    """The layers are called as the first one was, where that is gone."""
    found = dict(_found(graph))
    made = edited(graph, (edit for edit, _ in found.values()))
    gone = {last: first for last, (_, first) in found.items() if first not in made.by_name}
    return renamed(made, gone) if gone else made


def _found(graph: LayerGraph) -> Iterator[tuple[str, tuple[Edit, str]]]:
    for layer in graph.layers:
        for name, pattern in FUNCTIONS.items():
            match = matched(graph, layer, pattern)
            if match is not None:
                told = {"activation": name}
                made = Layer(layer.name, "Activation", name, told, output_shape=layer.output_shape)
                yield layer.name, (Edit(made, ((match.values["x"], ""),)), match.layers[FIRST].name)
