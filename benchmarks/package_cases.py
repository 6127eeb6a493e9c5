"""Five pairs of models that are alike but for one thing, as graphs, with the right sources of every target
tensor.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType

from matching_size import network, tensor

from weightbridge.model.graph import Edge, Layer, LayerGraph

LAYERS, MISSING = 40, 4  # eight residual blocks
AUTOMATIC = {
    "Input": "input_layer",
    "Conv": "conv2d",
    "BatchNorm": "batch_normalization",
    "Add": "add",
    "Dense": "dense",
    "GlobalPool": "pool",
}
Truth = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Case:
    """Two models.

    `truth`: target tensor -> the source tensors that it has to come from, empty where nothing may be put in.
    """

    name: str
    source: LayerGraph
    target: LayerGraph
    truth: Truth


def cases() -> tuple[Case, ...]:
    """What a tool has to cope with that goes by names and shapes."""
    model = _with_head(network(LAYERS, "block{block}_{part}"), 10)
    return (
        _another_head(model),
        _missing_block(),
        _case("anonymous names", _anonymous(model, "p", 0), _anonymous(model, "onnx::", 100)),
        _folded(network(LAYERS, "block{block}_{part}")),
        _case("flat Keras auto-names", _renamed(model, _numbered(0)), _renamed(model, _numbered(37))),
    )


def _case(name: str, source: LayerGraph, target: LayerGraph) -> Case:
    pairs = zip(source.tensors, target.tensors, strict=True)
    return Case(name, source, target, {t.name: frozenset({s.name}) for s, t in pairs})


def _anonymous(model: LayerGraph, prefix: str, start: int) -> LayerGraph:
    """Neither a layer's nor a tensor's name says anything.

    What a tensor is for is known from where its layer uses it.
    """
    numbers = count(start)
    bare = _renamed(model, lambda i, _: f"{prefix}layer{i}")
    layers = tuple(
        replace(layer, tensors=tuple(replace(t, name=f"{prefix}{next(numbers)}") for t in layer.tensors))
        for layer in bare.layers
    )
    return replace(bare, layers=layers)


def _another_head(model: LayerGraph) -> Case:
    target = _with_head(network(LAYERS, "block{block}_{part}"), 7)
    found = _case("another class count", model, target)
    return replace(
        found,
        truth={
            name: frozenset() if name.startswith("head/") else given for name, given in found.truth.items()
        },
    )


def _missing_block() -> Case:
    """The source has a block more; the blocks bear the same numbers, in names of another scheme."""
    source = network(LAYERS, "stage/unit{block}/{part}")
    whole = network(LAYERS, "encoder_block_{block}_{part}")
    parts = [layer.name for layer in whole.layers if layer.name.startswith(f"encoder_block_{MISSING}_")]
    (entry,) = {e.source for e in whole.edges if e.target in parts and e.source not in parts}
    bridged = (
        replace(edge, source=entry) if edge.source in parts else edge
        for edge in whole.edges
        if edge.target not in parts
    )
    target = replace(
        whole, layers=tuple(layer for layer in whole.layers if layer.name not in parts), edges=tuple(bridged)
    )
    truth = {t.name: s.name for s, t in zip(source.tensors, whole.tensors, strict=True)}
    return Case(
        "one missing block", source, target, {t.name: frozenset({truth[t.name]}) for t in target.tensors}
    )


def _folded(model: LayerGraph) -> Case:
    """An exported target that has no BatchNorm left: each is part of the convolution before it."""
    home = {e.target: e.source for e in model.edges if model.by_name[e.target].op == "BatchNorm"}
    layers = tuple(_with_bias(layer) for layer in model.layers if layer.op != "BatchNorm")
    edges = tuple(
        replace(e, source=home.get(e.source, e.source), target=home.get(e.target, e.target))
        for e in model.edges
        if home.get(e.target) != e.source
    )
    target = replace(model, path="folded.onnx", format="onnx", framework="onnx", layers=layers, edges=edges)
    norms = {conv: norm for norm, conv in home.items()}
    truth = {t.name: frozenset(_sources(t.name, norms)) for t in target.tensors}
    return Case("a BatchNorm-folded target", model, target, truth)


def _sources(name: str, norms: Mapping[str, str]) -> Iterator[str]:
    """The kernel and what scales it; of a bias, all of the normalisation."""
    layer, _, role = name.rpartition("/")
    if layer not in norms:
        yield name
        return
    if role == "kernel":
        yield name
    used = (
        ("gamma", "moving_variance")
        if role == "kernel"
        else ("gamma", "beta", "moving_mean", "moving_variance")
    )
    yield from (f"{norms[layer]}/{part}" for part in used)


def _with_bias(layer: Layer) -> Layer:
    """A convolution as ONNX has it: the kernel as (out, in, height, width), and a bias."""
    if layer.op != "Conv":
        return layer
    *window, channels, filters = layer.tensors[0].shape
    tensors = tensor(layer.name, "kernel", filters, channels, *window), tensor(layer.name, "bias", filters)
    return replace(
        layer, attributes=MappingProxyType({**layer.attributes, "use_bias": True}), tensors=tensors
    )


def _with_head(graph: LayerGraph, classes: int) -> LayerGraph:
    (last,) = graph.outputs
    width = max(t.shape[-1] for t in graph.tensors)
    attributes = MappingProxyType({"units": classes, "use_bias": True, "activation": "softmax"})
    head = Layer(
        "head",
        "Dense",
        "Dense",
        attributes,
        (tensor("head", "kernel", width, classes), tensor("head", "bias", classes)),
    )
    pool = Layer("pool", "GlobalPool", "GlobalAveragePooling2D")
    edges = (*graph.edges, Edge(last, "pool"), Edge("pool", "head"))
    return replace(graph, layers=(*graph.layers, pool, head), edges=edges, outputs=("head",))


def _numbered(start: int) -> Callable[[int, Layer], str]:
    """Names as Keras gives them: the kind and a counter, which went on from the models built before."""
    counts: dict[str, int] = {}

    def name(_: int, layer: Layer) -> str:
        count = counts.get(layer.op, start)
        counts[layer.op] = count + 1
        return f"{AUTOMATIC[layer.op]}_{count}" if count else AUTOMATIC[layer.op]

    return name


def _renamed(graph: LayerGraph, name: Callable[[int, Layer], str]) -> LayerGraph:
    names = {layer.name: name(i, layer) for i, layer in enumerate(graph.layers)}
    layers = tuple(
        replace(
            layer,
            name=names[layer.name],
            tensors=tuple(tensor(names[layer.name], t.role, *t.shape) for t in layer.tensors),
        )
        for layer in graph.layers
    )
    edges = tuple(replace(e, source=names[e.source], target=names[e.target]) for e in graph.edges)
    ends = tuple(names[n] for n in graph.inputs), tuple(names[n] for n in graph.outputs)
    return replace(
        graph, path=next(iter(names.values())), layers=layers, edges=edges, inputs=ends[0], outputs=ends[1]
    )
