"""The inputs of an ONNX graph as a runner takes them, told without what runs it."""

from collections.abc import Mapping

from weightbridge.formats.onnx.layers import Folded
from weightbridge.formats.onnx.proto import Graph
from weightbridge.formats.onnx.tensors import DTYPES, STRING
from weightbridge.formats.running import TEXT, ULPS, InputSpec
from weightbridge.model.graph import Layer
from weightbridge.model.vocabulary import COPIES, RESHAPES

PASSED = COPIES | RESHAPES | {"Slice"}


def inputs_of(graph: Graph, found: Folded, dtype: str = "float32") -> tuple[InputSpec, ...]:
    """What a graph is fed in a run in this dtype."""
    layers = {layer.name: layer for layer in found.layers}
    names = {found.shown[name]: name for name in found.inputs}
    specs = []
    for info in graph.inputs:
        if info.name not in names:
            continue
        stored = TEXT if info.elem_type == STRING else DTYPES.get(info.elem_type, "float32")
        vocabulary = _vocabulary(names[info.name], found, layers) if "int" in stored else None
        specs.append(InputSpec(info.name, info.shape or (), _input_dtype(stored, dtype), vocabulary))
    return tuple(specs)


def _input_dtype(stored: str, dtype: str) -> str:
    """In a float64 run, narrower floats are fed in float64."""
    return dtype if dtype == "float64" and stored in ULPS else stored


def _vocabulary(name: str, found: Folded, layers: Mapping[str, Layer]) -> int | None:
    """The rows of the smallest table that this input looks up, straight or through casts and reshapes."""
    rows: list[int] = []
    waiting, seen = [name], set[str]()
    while waiting:
        readers = _readers(found, waiting.pop()) - seen
        seen |= readers
        for reader in sorted(readers):
            layer = layers[reader]
            if layer.op == "Embedding":
                rows.append(int(layer.attributes["input_dim"]))
            elif layer.op in PASSED:
                waiting.append(reader)
    return min(rows, default=None)


def _readers(found: Folded, source: str) -> set[str]:
    return {edge.target for edge in found.edges if edge.source == source}
