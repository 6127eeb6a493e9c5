"""What function a group of nodes computes: its values on a few inputs against known functions."""

from functools import cache

import numpy as np

from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.groups.function import CLOSE, Function, Steps
from weightbridge.formats.onnx.groups.norms import norm
from weightbridge.formats.onnx.values.arithmetic import MEANS, run
from weightbridge.model.activations import FUNCTIONS
from weightbridge.model.tensors import Array

WRITTEN_OUT = ("swish", "gelu", "gelu_tanh", "hard_sigmoid", "hard_swish", "mish", "softsign")
GRID = np.linspace(-7.3, 7.3, 41)
INDICES = np.arange(9.0)
SLOPE = 0.37  # of the negative side, as a trial


def recognise(steps: Steps, site: Site) -> Function | None:
    """The function of the root that the steps compute."""
    if any(node.op in MEANS for node in steps.nodes):
        return norm(steps, site)
    if not steps.constants:
        return _activation(steps)
    return _prelu(steps) if len(steps.constants) == 1 else None


def _activation(steps: Steps) -> Function | None:
    if any(node.op == "Less" for node in steps.nodes):
        return _index(steps)
    values = run(steps.nodes, {steps.root: GRID, **steps.scalars}, {})
    if values is None or values.shape != GRID.shape:
        return None
    alike = np.flatnonzero(np.isclose(values, _written_out(), rtol=CLOSE, atol=CLOSE).all(axis=1))
    return Function("Activation", {"activation": WRITTEN_OUT[alike[0]]}) if alike.size else None


@cache
def _written_out() -> Array:
    """The values of the known functions, a row each: large graphs ask for thousands of regions."""
    return np.stack([FUNCTIONS[name](GRID) for name in WRITTEN_OUT])


def _index(steps: Steps) -> Function | None:
    """An index that may count from the end (-1 is the last row): for real indices nothing happens."""
    values = run(steps.nodes, {steps.root: INDICES, **steps.scalars}, {})
    is_same = values is not None and np.array_equal(values, INDICES)
    return Function("Identity", {}) if is_same else None


def _prelu(steps: Steps) -> Function | None:
    """The slope of the negative side, which some exporters store negated."""
    constant = next(iter(steps.constants))
    values = run(steps.nodes, {steps.root: GRID, constant: SLOPE, **steps.scalars}, {})
    if values is None or values.shape != GRID.shape:
        return None
    roles = (("alpha", constant),)
    if np.allclose(values, np.where(GRID > 0, GRID, SLOPE * GRID), rtol=1e-6):
        return Function("Activation", {"activation": "prelu"}, roles)
    if np.allclose(values, np.where(GRID > 0, GRID, -SLOPE * GRID), rtol=1e-6):
        return Function("Activation", {"activation": "prelu", "negated": ("alpha",)}, roles)
    return None
