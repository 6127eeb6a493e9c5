"""Input channels (WB304): many into one are summed, one into many is spread, others are tiled and scaled."""

from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.propose.setting import Partners, Setting
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import Layer
from weightbridge.model.vocabulary import CONVOLUTIONS, INPUT_SCALING
from weightbridge.plan import Step

PER_CHANNEL = INPUT_SCALING | {"BatchNorm"}  # that may stand before the stem, with numbers for each channel
OF_KERNELS = frozenset({"sum", "tile"})
OF_STATISTICS = frozenset({"mean", "cycle"})


def is_stem(setting: Setting, layer: Layer, letter: str) -> bool:
    """A convolution, or a per-channel layer before it, that reads the model's input channels on a grid."""
    axis = setting.axis(layer, letter)
    return (
        axis is not None
        and bool(setting.groups.entering.intersection(axis.parts))
        and axis.outer == axis.inner == 1
    )


def stem_rule(p: Partners, before: int, after: int) -> Rule | None:
    """None where the input is no image or signal: features of a table cannot stand for each other."""
    if p.layer.op in PER_CHANNEL:
        return _statistics_rule(p, before, after)
    if p.layer.op not in CONVOLUTIONS:
        return None
    if p.layer.op == "DepthwiseConv":
        return {"rule": "take", "from": (before,), "to": (after,)}
    return {"rule": "sum" if after == 1 else "tile", "from": before, "to": after}


def _statistics_rule(p: Partners, before: int, after: int) -> Rule | None:
    """Of a norm that reads the input: averaged into one channel, repeated as the stem's kernel is."""
    if len(p.layer.output_shape or ()) < 2:
        return None
    return {"rule": "mean" if after == 1 else "cycle", "from": before, "to": after}


def stem_findings(setting: Setting, steps: tuple[Step, ...]) -> tuple[Finding, ...]:
    return tuple(_finding(setting, steps, step, rule) for step in steps for rule in _rules(step, OF_KERNELS))


def _rules(step: Step, names: frozenset[str]) -> tuple[Rule, ...]:
    axes = step.parameters.get("axes", {}) if step.transform == "map-axes" else {}
    return tuple(rule for rule in axes.values() if rule["rule"] in names)


def _finding(setting: Setting, steps: tuple[Step, ...], step: Step, rule: Rule) -> Finding:
    layer, n, m = setting.target.owner[step.target].name, int(rule["from"]), int(rule["to"])
    norms = _adapted_norms(setting, steps)
    is_scaled = any(map(_scales_apart, setting.source.layers))
    formula = f"{formula_of(n, m, is_equal=not is_scaled)}{_of_statistics(norms, m)}"
    message = f"{layer}: the source reads {n} input channels, the target {m}: {formula}"
    fix = "Feed the target inputs of the source's range; to keep the stem as it is, declare it fresh"
    return finding("WB304", message, source=step.sources[0], target=step.target, fix=fix)


def _adapted_norms(setting: Setting, steps: tuple[Step, ...]) -> list[str]:
    adapted = (setting.target.owner[step.target].name for step in steps if _rules(step, OF_STATISTICS))
    return list(dict.fromkeys(adapted))


def _of_statistics(norms: list[str], m: int) -> str:
    if not norms:
        return ""
    return f"; the statistics of {', '.join(norms)} are {'averaged' if m == 1 else 'repeated'} with it"


def _scales_apart(layer: Layer) -> bool:
    """Whether input channels are scaled each by a number of its own before the stem."""
    if layer.op == "Normalization" and layer.tensors:
        return max(tensor.size for tensor in layer.tensors) > 1
    values = (layer.settings.get(name) for name in ("scale", "offset", "mean", "variance"))
    return layer.op in INPUT_SCALING and any(_differs_within(value) for value in values)


def _differs_within(value: object) -> bool:
    return isinstance(value, list | tuple) and len({str(one) for one in value}) > 1


def formula_of(n: int, m: int, *, is_equal: bool = True) -> str:
    """is_equal: whether all input channels are scaled alike before the stem."""
    if m == 1:
        formula = "kernel.sum(axis=in, keepdims=True)"
        how = f"the kernel is summed over its input channels ({formula})"
        apart = "an approximation, as each channel is scaled by numbers of its own before it"
        return f"{how}, exact where all {n} are equal" if is_equal else f"{how}, {apart}"
    if n == 1:
        return f"every channel gets 1/{m} of the kernel, exact where all {m} are equal"
    return f"the kernel is tiled over its input channels and scaled by {n}/{m}"
