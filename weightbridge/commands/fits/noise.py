"""Where there are no inputs: smoothed noise, in the range that the source's first BatchNorm recorded."""

from pathlib import Path
from typing import Any

import numpy as np

from weightbridge.adapters.fit.grids import resized
from weightbridge.adapters.fit.norms import mean_and_variance
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.flow import Flow, forward
from weightbridge.formats.running import InputSpec
from weightbridge.model.tensors import Array

NOISE = "noise"  # in place of a file's name
COUNT, SOME = 400, 32
COARSER = (1, 2, 4)  # grids of the noise, from the input's own on
MOST = 1 << 24  # numbers of all inputs
RANGES = ((0.0, 1.0), (0.5, 0.25), (0.3, 0.35), (0.0, 0.5), (127.5, 64.0), (80.0, 90.0))  # mean and deviation
REAL = "give inputs of the source's task, without labels: --calibrate D.npz with `x`, batch first"


def is_noise(data: Any) -> bool:
    """Whether noise is asked for; a file of that name goes before."""
    return isinstance(data, str | Path) and str(data) == NOISE and not Path(data).exists()


def noise(spec: InputSpec) -> Array:
    """Inputs of mean 0 and variance 1, of three scales of detail, from a fixed seed."""
    shape = spec.shape[1:]
    if any(length is None for length in shape) or not spec.dtype.startswith("float"):
        given = f"input {spec.name!r} is {spec.dtype} of shape {spec.shape}"
        raise UsageError(f"noise: {given}, expected floats of known size", where="calibrate", fix=REAL)
    sizes = tuple(int(length or 0) for length in shape)
    random, count = np.random.default_rng(0), max(64, min(COUNT, MOST // int(np.prod(sizes))))
    parts = [_smooth(random, count, sizes, coarser) for coarser in COARSER]
    mixed = np.concatenate([part[n :: len(parts)] for n, part in enumerate(parts)])
    return np.asarray(mixed[random.permutation(len(mixed))], dtype="float32")


def in_range(source: Flow, x: Array) -> Array:
    """The noise in the range that the source's first BatchNorm has recorded; as it is where there is none."""
    norm = next((i for i, node in enumerate(source.nodes) if node.kind == "batchnorm"), None)
    if norm is None:
        return x
    best = min(RANGES, key=lambda one: _apart(source, norm, x[:SOME] * one[1] + one[0]))
    return np.asarray(x * best[1] + best[0], dtype="float32")


def said_of_noise(count: int, layer: str) -> Finding:
    """WB302: degraded, whatever is measured."""
    message = (
        f"there were no inputs: fitted to {count:,} of smoothed noise, and measured on noise. Small networks "
        "reached .51 to .90 so, by real inputs .93 to .98, and starts without the source .13 to .36"
    )
    return finding("WB302", message, target=layer, fix=REAL)


def _smooth(random: np.random.Generator, count: int, shape: tuple[int, ...], coarser: int) -> Array:
    grid = tuple(max(1, length // coarser) for length in shape[:-1])
    found = resized(random.standard_normal((count, *grid, shape[-1])), shape[:-1])
    return np.asarray((found - found.mean()) / (found.std() + 1e-12))


def _apart(source: Flow, norm: int, x: Array) -> float:
    """How far what the norm reads is from what it recorded: of the logarithms of variances, and of means."""
    mean, variance = mean_and_variance(forward(source, x, source.nodes[norm].inputs[0]))
    known = source.weights(norm)
    recorded = np.maximum(known["moving_variance"], 1e-12)
    spread = np.log(np.maximum(variance, 1e-12) / recorded) ** 2
    return float(np.mean(spread + (mean - known["moving_mean"]) ** 2 / recorded))
