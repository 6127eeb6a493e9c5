"""What function a group of nodes computes: its values on a few inputs against those of the functions that are
known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from weightbridge.formats.onnx.drafts import Site, decimal
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.arithmetic import MEANS, run
from weightbridge.formats.onnx.values.views import axes_of
from weightbridge.model.activations import FUNCTIONS
from weightbridge.model.tensors import Array

NONLINEAR = frozenset(
    [
        "Sigmoid",
        "Erf",
        "Erfc",
        "Tanh",
        "Softplus",
        "Clip",
        "Relu",
        "HardSigmoid",
        "Exp",
        "Sqrt",
        "Pow",
        "Max",
        "Min",
        "Less",
    ]
)
WRITTEN_OUT = ("swish", "gelu", "gelu_tanh", "hard_sigmoid", "hard_swish", "mish", "softsign")
GRID = np.linspace(-7.3, 7.3, 41)
CLOSE = 1e-4  # constants in files are rounded to float32, and some writers round sqrt(2 / pi) further


@dataclass(frozen=True, slots=True)
class Function:
    """A known layer, its attributes, and which constant has which role."""

    op: str
    attributes: Mapping[str, Any]
    roles: tuple[tuple[str, str], ...] = field(default=())


def recognise(
    nodes: Sequence[Node],
    root: str,
    scalars: Mapping[str, float],
    constants: Mapping[str, tuple[int, ...]],
    site: Site,
) -> Function | None:
    """The function of `root` that the nodes compute. constants: the shapes of those whose values are not
    looked at.
    """
    if any(n.op in MEANS for n in nodes):
        return _norm(nodes, root, scalars, constants, site)
    if not constants:
        return _activation(nodes, root, scalars)
    return _prelu(nodes, root, scalars, next(iter(constants))) if len(constants) == 1 else None


def _activation(nodes: Sequence[Node], root: str, scalars: Mapping[str, float]) -> Function | None:
    if any(n.op == "Less" for n in nodes):
        return _index(nodes, root, scalars)
    got = run(nodes, {root: GRID, **scalars}, {})
    if got is None or got.shape != GRID.shape:
        return None
    expected = ((name, FUNCTIONS[name](GRID)) for name in WRITTEN_OUT)
    name = next((name for name, values in expected if np.allclose(got, values, rtol=CLOSE, atol=CLOSE)), None)
    return Function("Activation", {"activation": name}) if name else None


def _index(nodes: Sequence[Node], root: str, scalars: Mapping[str, float]) -> Function | None:
    """An index that may count from the end (-1 is the last row): for real indices nothing happens."""
    got = run(nodes, {root: np.arange(9.0), **scalars}, {})
    return Function("Identity", {}) if got is not None and np.array_equal(got, np.arange(9.0)) else None


def _prelu(nodes: Sequence[Node], root: str, scalars: Mapping[str, float], constant: str) -> Function | None:
    """The slope of the negative side, which some exporters store negated."""
    slope = 0.37
    got = run(nodes, {root: GRID, constant: slope, **scalars}, {})
    for sign in (1, -1):
        if (
            got is not None
            and got.shape == GRID.shape
            and np.allclose(got, np.where(GRID > 0, GRID, sign * slope * GRID), rtol=1e-6)
        ):
            negated = {"negated": ("alpha",)} if sign < 0 else {}
            return Function("Activation", {"activation": "prelu", **negated}, (("alpha", constant),))
    return None


def _norm(
    nodes: Sequence[Node],
    root: str,
    scalars: Mapping[str, float],
    constants: Mapping[str, tuple[int, ...]],
    site: Site,
) -> Function | None:
    """Layer, RMS or group normalisation over the axes of the mean."""
    rank = max([site.rank(root) or 0, 2, *(len(s) for s in constants.values())])
    reduced = {n.outputs[0]: _axes(n, rank, site) for n in nodes if n.op in MEANS}
    if (
        None in reduced.values()
        or len(set(reduced.values())) != 1
        or not any(n.op in ("Sqrt", "Pow") for n in nodes)
    ):
        return None
    axes = next(a for a in reduced.values() if a is not None)
    rank = max([rank, *(a + 1 if a >= 0 else -a for a in axes)])
    rng = np.random.default_rng(0)
    x = rng.normal(size=_sizes(rank, constants)) * 0.01
    values = {name: rng.normal(size=shape) + 2 for name, shape in constants.items()}
    got = run(nodes, {root: x, **scalars, **values}, dict.fromkeys(reduced, axes))
    if got is None or got.shape != x.shape:
        return None
    return next(
        (
            f
            for f, expected in _norms(x, axes, values, scalars)
            if np.allclose(got, expected, rtol=CLOSE, atol=0)
        ),
        None,
    )


def _axes(node: Node, rank: int, site: Site) -> tuple[int, ...] | None:
    return (
        tuple(range(2, max(rank, 3))) if node.op == "GlobalAveragePool" else axes_of(node, site.net.numbers)
    )


def _sizes(rank: int, constants: Mapping[str, tuple[int, ...]]) -> list[int]:
    """Lengths of the axes: those of the constants, and 3 where these have one."""
    found = [3] * rank
    for shape in constants.values():
        for i, n in enumerate(shape):
            found[rank - len(shape) + i] = n if n > 1 else found[rank - len(shape) + i]
    return found


def _norms(
    x: Array, axes: tuple[int, ...], values: Mapping[str, Array], scalars: Mapping[str, float]
) -> Iterator[tuple[Function, Array]]:
    mean = x.mean(axes, keepdims=True)
    positive = tuple(a % x.ndim for a in axes)
    is_grouped = len(axes) > 1 and sorted(positive) != list(range(x.ndim - len(axes), x.ndim))
    axis: Any = tuple(a - x.ndim for a in positive) if len(axes) > 1 else positive[0] - x.ndim
    for epsilon in sorted(set(scalars.values())):
        if not 0 < epsilon < 0.1:
            continue
        plain = {
            "LayerNorm": (x - mean) / np.sqrt(x.var(axes, keepdims=True) + epsilon),
            "RMSNorm": x / np.sqrt((x**2).mean(axes, keepdims=True) + epsilon),
        }
        for op, normal in plain.items():
            for names in permutations(values):
                for scale, center in ((True, True), (True, False), (False, True), (False, False)):
                    if len(names) != scale + center:
                        continue
                    gamma = values[names[0]] if scale else 1.0
                    beta = values[names[-1]] if center else 0.0
                    found = {"epsilon": decimal(epsilon), "axis": axis, "scale": scale, "center": center}
                    if is_grouped:
                        found |= {
                            "groups": next(x.shape[i] for i in range(x.ndim - 1, 0, -1) if i not in positive)
                        }
                    roles = tuple(zip((*("gamma",) * scale, *("beta",) * center), names, strict=True))
                    yield Function("GroupNorm" if is_grouped else op, found, roles), normal * gamma + beta
