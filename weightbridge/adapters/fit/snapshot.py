"""The weights of a flow put aside, and set again."""

from collections.abc import Iterator
from contextlib import contextmanager

from weightbridge.formats.flow import Flow
from weightbridge.model.tensors import Array

Weights = dict[int, dict[str, Array]]  # by node and role


def snapshot(flow: Flow) -> Weights:
    """By node, each layer once."""
    return {
        i: {role: value.copy() for role, value in flow.weights(i).items()}
        for i, node in enumerate(flow.nodes)
        if node.roles and not node.again
    }


def restore(flow: Flow, held: Weights) -> None:
    for i, values in held.items():
        flow.assign(i, values)


@contextmanager
def unchanged(flow: Flow) -> Iterator[Weights]:
    """Whatever is set meanwhile, the weights are as before at the end."""
    held = snapshot(flow)
    try:
        yield held
    finally:
        restore(flow, held)
