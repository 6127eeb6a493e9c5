"""Arithmetic with constants alone, done beforehand: what an exporter leaves that is told to fold nothing.

No initializer is touched, so that each keeps its name in the state dict.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from weightbridge.formats.torch.modules.joined import rows_of_parts
from weightbridge.formats.torch.modules.lengths import ROUNDS, known_lengths

LARGEST = 1 << 20  # elements
LEFT = frozenset({"Constant", "RandomNormal", "RandomUniform", "If", "Loop", "Scan"})


def fold_constants(proto: Any) -> bool:
    """Each node that reads constants, or lengths that are known, and no weight becomes its value.

    False where there is none, and the model need not be written.
    """
    is_changed = False
    for _ in range(ROUNDS):
        values = known_lengths(proto)
        _put(proto.graph, values)
        values |= _values(proto, _folded(proto.graph.node))
        if not values or max(np.size(value) for value in values.values()) > LARGEST:
            break
        _put(proto.graph, values)
        is_changed = True
    is_changed = rows_of_parts(proto) or is_changed
    if is_changed:
        _drop_unread(proto.graph)
    return is_changed


def _drop_unread(graph: Any) -> None:
    """Nodes that no output depends on."""
    read = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if read & set(node.output):
            read.update(_read(node))
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))


def _read(node: Any) -> set[str]:
    """What it reads, in the branches of an If too."""
    graphs = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return {*node.input}.union(*(_read(inner) for graph in graphs for inner in graph.node))


def _put(graph: Any, values: Mapping[str, Any]) -> None:
    """Constants in the place of the nodes that compute them."""
    nodes = [node for node in graph.node if not values.keys() & set(node.output)]
    read = {output.name for output in graph.output}.union(*(_read(node) for node in nodes))
    constants = [_constant(name, value) for name, value in values.items() if name in read]
    del graph.node[:]
    graph.node.extend([*constants, *nodes])


def _folded(nodes: Sequence[Any]) -> list[Any]:
    """The nodes whose inputs are all constants, in the file's order."""
    known = {value for node in nodes if node.op_type == "Constant" for value in node.output}
    found = []
    for node in nodes:
        inputs = [value for value in node.input if value]
        if node.op_type in LEFT or node.domain or not inputs or not known.issuperset(inputs):
            continue
        known.update(node.output)
        found.append(node)
    return found


def _values(proto: Any, folded: Sequence[Any]) -> dict[str, Any]:
    """What these nodes compute, by name."""
    needed = [value for node in folded for value in node.output if value]
    if not needed:
        return {}
    constants = [node for node in proto.graph.node if node.op_type == "Constant"]
    outputs = [onnx.ValueInfoProto(name=name) for name in needed]
    graph = onnx.helper.make_graph([*constants, *folded], "constants", [], outputs)
    model = onnx.helper.make_model(graph, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    return dict(zip(needed, ReferenceEvaluator(model).run(None, {}), strict=True))


def _constant(name: str, value: Any) -> Any:
    tensor = onnx.numpy_helper.from_array(np.asarray(value))
    return onnx.helper.make_node("Constant", [], [name], value=tensor)
