"""Layer, RMS and group normalisation in single steps, told by their values on random inputs."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Site, decimal
from weightbridge.formats.onnx.groups.function import CLOSE, Function, Steps
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.arithmetic import MEANS, run
from weightbridge.formats.onnx.values.views import axes_of
from weightbridge.model.tensors import Array

LARGEST_EPSILON = 0.1
Axes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Trial:
    """x: random values. axes: those of the mean. constants: random values for each constant."""

    x: Array
    axes: Axes
    constants: Mapping[str, Array]

    @property
    def reduced(self) -> Axes:
        """The axes counted from the front."""
        return tuple(axis % self.x.ndim for axis in self.axes)

    @property
    def is_grouped(self) -> bool:
        """Whether an axis that is kept lies behind one of the mean, and no scale or shift leaves it out."""
        last = range(self.x.ndim - len(self.axes), self.x.ndim)
        if len(self.axes) < 2 or sorted(self.reduced) == list(last):
            return False
        kept = max(axis for axis in range(self.x.ndim) if axis not in self.reduced)
        told = (np.shape(one) for one in self.constants.values())
        spread = [(1,) * (self.x.ndim - len(shape)) + shape for shape in told]
        return all(shape[kept] > 1 or max(shape) == 1 for shape in spread)


def norm(steps: Steps, site: Site) -> Function | None:
    """The normalisation over the axes of the mean that the steps compute."""
    rank = max([site.rank(steps.root) or 0, 2, *map(len, steps.constants.values())])
    reduced = {node.outputs[0]: _axes(node, rank, site) for node in steps.nodes if node.op in MEANS}
    axes = _common_axes(reduced)
    has_root = any(node.op in ("Sqrt", "Pow") for node in steps.nodes)
    if axes is None or not has_root:
        return None
    trial = _trial(steps, rank, axes)
    known = {steps.root: trial.x, **steps.scalars, **trial.constants}
    values = run(steps.nodes, known, dict.fromkeys(reduced, axes))
    return None if values is None else _closest(values, trial, steps.scalars)


def _closest(values: Array, trial: _Trial, scalars: Mapping[str, float]) -> Function | None:
    """The first normalisation that gives these values."""
    if values.shape != trial.x.shape:
        return None
    for function, expected in _candidates(trial, scalars):
        if np.allclose(values, expected, rtol=CLOSE, atol=0):
            return function
    return None


def _axes(node: Node, rank: int, site: Site) -> Axes | None:
    if node.op == "GlobalAveragePool":
        return tuple(range(2, max(rank, 3)))
    return axes_of(node, site.net.numbers)


def _common_axes(reduced: Mapping[str, Axes | None]) -> Axes | None:
    """The axes that all means share."""
    distinct = set(reduced.values())
    return distinct.pop() if len(distinct) == 1 else None


def _trial(steps: Steps, rank: int, axes: Axes) -> _Trial:
    rank = max([rank, *(axis + 1 if axis >= 0 else -axis for axis in axes)])
    rng = np.random.default_rng(0)
    x = rng.normal(size=_lengths(rank, steps.constants)) * 0.01
    constants = {name: rng.normal(size=shape) + 2 for name, shape in steps.constants.items()}
    return _Trial(x, axes, constants)


def _lengths(rank: int, constants: Mapping[str, tuple[int, ...]]) -> list[int]:
    """Lengths of the axes: those of the constants, and 3 where these have one."""
    lengths = [3] * rank
    for shape in constants.values():
        first = rank - len(shape)
        for i, n in enumerate(shape):
            if n > 1:
                lengths[first + i] = n
    return lengths


def _candidates(trial: _Trial, scalars: Mapping[str, float]) -> Iterator[tuple[Function, Array]]:
    """Every known normalisation with its values."""
    epsilons = {scalar for scalar in scalars.values() if 0 < scalar < LARGEST_EPSILON}
    all_roles = list(_roles(tuple(trial.constants)))
    for epsilon in sorted(epsilons):
        for op, normal in _normals(trial, epsilon).items():
            for roles in all_roles:
                yield _function(trial, op, epsilon, roles), _affine(trial, normal, roles)


def _normals(trial: _Trial, epsilon: float) -> dict[str, Array]:
    x, axes = trial.x, trial.axes
    mean = x.mean(axes, keepdims=True)
    variance = x.var(axes, keepdims=True)
    mean_square = (x**2).mean(axes, keepdims=True)
    return {
        "LayerNorm": (x - mean) / np.sqrt(variance + epsilon),
        "RMSNorm": x / np.sqrt(mean_square + epsilon),
    }


def _roles(constants: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The ways in which constants may be scale (gamma) and shift (beta)."""
    for names in permutations(constants):
        for roles in (("gamma", "beta"), ("gamma",), ("beta",), ()):
            if len(names) == len(roles):
                yield dict(zip(roles, names, strict=True))


def _affine(trial: _Trial, normal: Array, roles: Mapping[str, str]) -> Array:
    gamma = trial.constants[roles["gamma"]] if "gamma" in roles else 1.0
    beta = trial.constants[roles["beta"]] if "beta" in roles else 0.0
    return np.asarray(normal * gamma + beta)


def _function(trial: _Trial, op: str, epsilon: float, roles: Mapping[str, str]) -> Function:
    from_end = tuple(axis - trial.x.ndim for axis in trial.reduced)
    attributes: dict[str, Any] = {
        "epsilon": decimal(epsilon),
        "axis": from_end if len(from_end) > 1 else from_end[0],
        "scale": "gamma" in roles,
        "center": "beta" in roles,
    }
    if trial.is_grouped:
        kept = [i for i in range(1, trial.x.ndim) if i not in trial.reduced]
        attributes["groups"] = trial.x.shape[kept[-1]]
    return Function("GroupNorm" if trial.is_grouped else op, attributes, tuple(roles.items()))
