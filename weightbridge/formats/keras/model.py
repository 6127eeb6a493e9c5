"""A model's architecture and its stored variables -> LayerGraph.

What all Keras files with an architecture have in common.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.flow import Flow, Node, flow_of
from weightbridge.formats.keras.architecture.ops import OF_TENSORFLOW
from weightbridge.formats.keras.graph import build
from weightbridge.formats.keras.variables.loose import unique
from weightbridge.formats.keras.variables.stored import Store
from weightbridge.formats.keras.variables.tree import is_custom
from weightbridge.model.graph import LayerGraph, Port
from weightbridge.model.layouts import with_axes

SHOWN = 10


def graph_of_model(
    path: Path,
    format: str,
    producer: str,
    model: ConfigLayer,
    store: Callable[[Flow], Store],
    findings: Sequence[Finding],
) -> LayerGraph:
    """The graph of a functional or sequential model.

    What the store holds beyond it comes as layers without edges.
    """
    flow = flow_of(model, str(path))
    built = build(flow, store(flow), str(path))
    layers = unique(built.layers)
    return LayerGraph(
        path=str(path),
        format=format,
        framework="keras",
        producer=producer,
        layers=with_axes(layers, "keras"),
        edges=tuple(built.edges),
        has_flow=True,
        inputs=flow.inputs,
        outputs=tuple(dict.fromkeys(output.node for output in flow.outputs)),
        output_ports=tuple(Port(output.node, output.port) for output in flow.outputs),
        findings=(*findings, *code_findings(flow), *built.findings),
        architecture=model,
    )


def code_findings(flow: Flow) -> tuple[Finding, ...]:
    """WB104 for Lambda layers and for custom classes: neither is ever run or imported."""
    lambdas = [n.owner for n in flow.nodes if n.layer.class_name == "Lambda"]
    custom: dict[str, list[str]] = {}
    for node in flow.nodes:
        if (
            is_custom(node)
            and node.layer.kind == "layer"
            and not (node.op or node.layer.layers or _is_operation(node))
        ):
            custom.setdefault(custom_name(node.layer), []).append(node.owner)
    found = [_lambda_finding(lambdas)] if lambdas else []
    return (*found, *(custom_finding(name, names) for name, names in custom.items()))


def _is_operation(node: Node) -> bool:
    return node.layer.class_name in OF_TENSORFLOW


def custom_name(layer: ConfigLayer) -> str:
    """A custom class by its registered name, else by its module."""
    return layer.registered or (f"{layer.module}.{layer.class_name}" if layer.module else layer.class_name)


def custom_finding(name: str, layers: Sequence[str]) -> Finding:
    return finding(
        "WB104",
        f"the class {name} is none of Keras's own: {_listed(layers)}",
        source=layers[0],
        fix="To run the model, import the code that defines the class first; weights are moved without it",
    )


def _lambda_finding(names: Sequence[str]) -> Finding:
    return finding(
        "WB104",
        f"Lambda layers hold Python code, which is never run: {_listed(names)}",
        source=names[0],
        fix="To run the model, build it from its code; weights are moved without it",
    )


def _listed(names: Sequence[str]) -> str:
    return listed(list(dict.fromkeys(names)), SHOWN)
