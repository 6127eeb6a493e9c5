"""Input channels (WB304): many into one are summed, one into many is spread, others are tiled and scaled."""

from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.propose.setting import Partners, Setting
from weightbridge.diagnostics import Finding, finding
from weightbridge.model.graph import Layer
from weightbridge.model.vocabulary import CONVOLUTIONS
from weightbridge.plan import Step


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
    if p.layer.op not in CONVOLUTIONS:
        return (
            {"rule": "mean", "from": before, "to": after}
            if after == 1 and p.layer.op == "Normalization"
            else None
        )
    if p.layer.op == "DepthwiseConv":
        return {"rule": "take", "from": (before,), "to": (after,)}
    return {"rule": "sum" if after == 1 else "tile", "from": before, "to": after}


def stem_findings(setting: Setting, steps: tuple[Step, ...]) -> tuple[Finding, ...]:
    return tuple(_finding(setting, step, rule) for step in steps for rule in _stem_rules(step))


def _stem_rules(step: Step) -> tuple[Rule, ...]:
    axes = step.parameters.get("axes", {}) if step.transform == "map-axes" else {}
    return tuple(rule for rule in axes.values() if rule["rule"] in ("sum", "tile"))


def _finding(setting: Setting, step: Step, rule: Rule) -> Finding:
    layer, n, m = setting.target.owner[step.target].name, rule["from"], rule["to"]
    formula = formula_of(int(n), int(m))
    message = f"{layer}: the source reads {n} input channels, the target {m}: {formula}"
    fix = "Feed the target inputs of the source's range; to keep the stem as it is, declare it fresh"
    return finding("WB304", message, source=step.sources[0], target=step.target, fix=fix)


def formula_of(n: int, m: int) -> str:
    if m == 1:
        formula = "kernel.sum(axis=in, keepdims=True)"
        return f"the kernel is summed over its input channels ({formula}), exact where all {n} are equal"
    if n == 1:
        return f"every channel gets 1/{m} of the kernel, exact where all {m} are equal"
    return f"the kernel is tiled over its input channels and scaled by {n}/{m}"
