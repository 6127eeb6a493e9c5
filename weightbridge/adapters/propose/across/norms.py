"""Moving means and variances across architectures: what the adapted weights make of what norms write."""

from collections.abc import Iterator, Mapping

from weightbridge.adapters.apply.expressions import Expression, Reading, fed, leaf, through_kernel
from weightbridge.adapters.letters import letters
from weightbridge.adapters.propose.across.kernels import statistic_step, vector_step
from weightbridge.adapters.propose.across.stages import convolutions, norm_after
from weightbridge.adapters.propose.setting import Setting
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import FORWARD_CONVOLUTIONS
from weightbridge.plan import Step

STATISTICS = {"moving_mean": "mean", "moving_variance": "variance"}


def statistic_steps(
    setting: Setting, taken: Mapping[str, Layer], steps: Mapping[str, Step]
) -> Iterator[Step]:
    stems = {u.layer.name for u in convolutions(setting.target) if u.is_stem}
    for tensor in setting.target.tensors:
        layer = setting.target.owner[tensor.name]
        if layer.op == "BatchNorm" and tensor.role in STATISTICS and tensor.name in steps:
            if not _has_channels(setting, layer):
                yield vector_step(tensor, None)
                continue
            reading = Reading(setting.target, setting.groups, steps)
            of = _normalised(setting, reading, layer, stems, taken)
            yield _step(tensor, reading, of)


def _has_channels(setting: Setting, layer: Layer) -> bool:
    """Whether it is known what the norm reads, and the convolution before it: not of a part of a map."""
    before = setting.target.by_name[setting.target.parents[layer.name][0]]
    read = setting.groups.read
    if layer.name not in read or before.op not in FORWARD_CONVOLUTIONS:
        return layer.name in read
    kernel = before.tensor("kernel")
    names = letters(before, kernel) if kernel else ()
    inputs = kernel.shape[names.index("i")] if kernel and "i" in names else None
    groups = int(before.attributes.get("groups") or 1)
    return before.name in read and inputs in (None, setting.groups.length(read[before.name]) // groups)


def _step(tensor: Tensor, reading: Reading, of: Expression) -> Step:
    if not reading.names:
        return vector_step(tensor, None)
    parameters = {"statistic": STATISTICS[tensor.role], "of": of}
    return statistic_step(tensor, tuple(reading.names), parameters)


def _normalised(
    setting: Setting, reading: Reading, layer: Layer, stems: set[str], taken: Mapping[str, Layer]
) -> Expression:
    """What the norm reads: a convolution's output, or whatever comes before it."""
    before = setting.target.by_name[setting.target.parents[layer.name][0]]
    if before.op not in FORWARD_CONVOLUTIONS or not any(t.name in reading.steps for t in before.tensors):
        return fed(reading, layer)
    is_stem = before.name in stems
    expression = _seen_input(setting, reading, before, taken) if is_stem else fed(reading, before)
    expression = _convolved(reading, before, expression)
    if not before.tensor("bias"):
        return expression
    size = setting.groups.length(setting.groups.written[before.name])
    bias = {"normal": size, "gamma": 0.0, "beta": leaf(reading, before, "bias", 0.0)}
    return {"sum": [expression, bias]}


def _convolved(reading: Reading, layer: Layer, expression: Expression) -> Expression:
    """Through each of the layer's kernels that has a step."""
    for role in ("depthwise_kernel", "pointwise_kernel", "kernel"):
        tensor = layer.tensor(role)
        step = reading.steps.get(tensor.name) if tensor else None
        if tensor is not None and step is not None:
            expression = through_kernel(reading, step, letters(layer, tensor), expression)
    return expression


def _seen_input(setting: Setting, reading: Reading, stem: Layer, taken: Mapping[str, Layer]) -> Expression:
    size = setting.groups.length(setting.groups.read[stem.name])
    other = taken[stem.name]
    norm, kernel = norm_after(setting.source, other), other.tensor("kernel")
    mean, variance = (norm.tensor(role) if norm else None for role in STATISTICS)
    names = letters(other, kernel) if kernel else ()
    if kernel is None or mean is None or variance is None or not {"i", "o"} <= set(names):
        return {"standard": size}
    return {
        "input": size,
        "letters": " ".join(names),
        "kernel": reading.number(kernel.name),
        "mean": reading.number(mean.name),
        "variance": reading.number(variance.name),
    }
