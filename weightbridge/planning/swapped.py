"""Swapped arguments (WB308): the source is as it was initialised, and the target is trained."""

from collections.abc import Collection, Iterable, Iterator
from math import prod

import numpy as np

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.model.vocabulary import RECURRENT

STATISTICS = {"moving_mean": 0.0, "moving_variance": 1.0}
VECTORS = {"bias": 0.0, "beta": 0.0, "gamma": 1.0}
KERNELS = frozenset({"kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel"})
LOOKED_AT, LARGEST, LEAST = 4, 1 << 20, 64  # kernels, and their elements
FLAT = 2.0  # kurtosis: 1.8 for uniform values, 3 for normal ones; trained kernels have more
FIX = "if so, give them the other way round: the trained model is the source"


def swapped(source: LayerGraph, target: LayerGraph) -> tuple[Finding, ...]:
    """A warning where only the source looks untrained. Reads vectors, and a few kernels where they say
    nothing.
    """
    if not _has_values(source) or not _has_values(target) or not is_untrained(source) or is_untrained(target):
        return ()
    message = (
        f"the source {source.path} holds weights as they are initialised, and the target {target.path} "
        "holds trained ones: the two may be swapped"
    )
    return (finding("WB308", message, fix=FIX),)


def is_untrained(graph: LayerGraph) -> bool:
    """By the statistics of norms, which every training step moves; else by biases; else by kernels."""
    statistics = _of_roles(graph, STATISTICS)
    if statistics:
        return all(_is_all(tensor.load(), STATISTICS[tensor.role]) for tensor in statistics)
    vectors = _of_roles(graph, VECTORS)
    if vectors and all(_is_initial(graph, tensor) for tensor in vectors):
        return True
    kernels = list(_kernels(graph))
    return bool(kernels) and all(map(_is_uniform, kernels))


def _of_roles(graph: LayerGraph, roles: Collection[str]) -> list[Tensor]:
    return [tensor for tensor in graph.tensors if tensor.role in roles and tensor.size]


def _has_values(graph: LayerGraph) -> bool:
    return bool(graph.tensors) and all(found.code != "WB105" for found in graph.findings)


def _is_all(values: Array, value: float) -> bool:
    return bool(np.all(values == value))


def _is_initial(graph: LayerGraph, tensor: Tensor) -> bool:
    """Zeros or ones; recurrent layers begin with ones in the bias of one gate."""
    values = tensor.load()
    if tensor.role == "bias" and graph.owner[tensor.name].op in RECURRENT:
        return bool(np.all((values == 0) | (values == 1)))
    return _is_all(values, VECTORS[tensor.role])


def _kernels(graph: LayerGraph) -> Iterator[Tensor]:
    fitting = (
        t for t in graph.tensors if t.role in KERNELS and LEAST <= t.size <= LARGEST and len(t.shape) > 1
    )
    yield from sorted(fitting, key=lambda tensor: (-tensor.size, tensor.name))[:LOOKED_AT]


def _is_uniform(tensor: Tensor) -> bool:
    """Within the bounds that Keras (Glorot) or PyTorch draws from, up to their edge, and flat."""
    values = np.asarray(tensor.load(), np.float64)
    reach = float(np.abs(values).max())
    is_edge = any(0.9 * bound <= reach <= bound * (1 + 1e-6) for bound in _bounds(tensor.shape))
    spread = float(np.mean(np.square(values)))
    return is_edge and spread > 0 and float(np.mean(values**4)) / spread**2 < FLAT


def _bounds(shape: tuple[int, ...]) -> Iterable[float]:
    """Of Glorot's uniform values in Keras's layout, and of PyTorch's in its own."""
    taps = prod(shape[:-2])
    return (6 / (taps * (shape[-2] + shape[-1]))) ** 0.5, prod(shape[1:]) ** -0.5
