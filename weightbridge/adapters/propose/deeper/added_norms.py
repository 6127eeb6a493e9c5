"""A BatchNorm that only the target has and that changes nothing: it undoes its own normalising.

With mean m and variance v of what it is fed, as the norms before tell, its scale is the root of v + epsilon
and its shift m: inference passes every value on whatever m and v are, and training begins near it too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from weightbridge.adapters.apply.expressions import Expression, Reading, fed
from weightbridge.adapters.propose.deeper.added_steps import added_step, filled
from weightbridge.adapters.propose.setting import Setting
from weightbridge.model.graph import Layer
from weightbridge.plan import Step

EPSILON = 1e-3  # Keras's own
UNDONE = "undoes its own normalising in a layer that only the target has"
STATISTIC = {"moving_mean": "mean", "beta": "mean", "moving_variance": "variance", "gamma": "deviation"}


def norm_steps(setting: Setting, norm: Layer, layer: Layer) -> Iterator[Step]:
    """layer: the identity before the norm."""
    epsilon = float(norm.attributes.get("epsilon") or EPSILON)
    roles = {tensor.role for tensor in norm.tensors}
    reading = Reading(setting.target, setting.groups, _copies(setting))
    of = fed(reading, layer) if {"gamma", "beta"} <= roles else {}
    if reading.names and roles <= STATISTIC.keys():
        yield from _expected(norm, reading, of, epsilon)
        return
    constants = {"moving_variance": 1.0 - epsilon, "gamma": 1.0}
    for tensor in norm.tensors:
        yield filled(tensor, constants.get(tensor.role, 0.0), UNDONE)


def _expected(norm: Layer, reading: Reading, of: Expression, epsilon: float) -> Iterator[Step]:
    for tensor in norm.tensors:
        parameters: dict[str, Any] = {"statistic": STATISTIC[tensor.role], "of": of}
        if tensor.role == "gamma":
            parameters["epsilon"] = epsilon
        yield added_step(tensor, tuple(reading.names), "undone-norm", parameters, UNDONE)


def _copies(setting: Setting) -> Mapping[str, Step]:
    """What comes from the source as it is; other steps are not known yet."""
    plain = (m for m in setting.matching.matches if not m.transform and len(m.sources) == 1)
    tensors = setting.target.tensor_by_name
    return {
        m.target: Step(
            m.target, m.sources, "copy", "bitwise", tensors[m.target].shape, tensors[m.target].size
        )
        for m in plain
        if m.target in tensors
    }
