"""Operations that exporters write and ONNX does not have, in operations that it has.

TensorFlow's exporters write an exact GELU with a node `Erfc` (onnx/tensorflow-onnx#2347): it is 1 - Erf.
"""

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

ONE = "weightbridge/one"


def spelled_out(proto: Any) -> Any:
    """The ModelProto itself, changed, where it has such nodes in its main graph."""
    found = [node for node in proto.graph.node if is_erfc(node)]
    if not found:
        return proto
    nodes = [made for node in proto.graph.node for made in (_erfc(node) if is_erfc(node) else (node,))]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    proto.graph.initializer.append(numpy_helper.from_array(np.array(1.0, np.float32), ONE))
    return proto


def is_erfc(node: Any) -> bool:
    return node.op_type == "Erfc" and not node.domain and len(node.input) == len(node.output) == 1


def _erfc(node: Any) -> tuple[Any, Any]:
    inner = f"{node.output[0]}/weightbridge/erf"
    erf = helper.make_node("Erf", list(node.input), [inner], name=inner)
    return erf, helper.make_node("Sub", [ONE, inner], list(node.output), name=node.name)
