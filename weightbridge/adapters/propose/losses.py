"""What lossy steps cost, said as WB302.

Per layer where few lose something, in one finding where many do.
"""

from collections.abc import Sequence

from weightbridge.adapters.propose.setting import Setting
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.plan import Step

APART = 5  # layers with a finding of their own; more are told in one, or the report drowns in them
FIX = "Treat the result as an initialisation: fine-tune the target"


def loss_findings(setting: Setting, steps: Sequence[Step]) -> tuple[Finding, ...]:
    lossy: dict[str, list[Step]] = {}
    for step in steps:
        if step.contract == "lossy" and not _is_stem_only(step):
            lossy.setdefault(setting.target.owner[step.target].name, []).append(step)
    if len(lossy) > APART:
        return (_together(lossy),)
    return tuple(_one(layer, found) for layer, found in lossy.items())


def _is_stem_only(step: Step) -> bool:
    """WB304 speaks for these."""
    axes = step.parameters.get("axes", {})
    return bool(axes) and all(rule["rule"] in ("sum", "tile", "mean", "cycle") for rule in axes.values())


def _one(layer: str, found: Sequence[Step]) -> Finding:
    costs = "; ".join(dict.fromkeys(step.cost for step in found if step.cost))
    text = f"{layer}: does not keep its function: {costs}"
    return finding("WB302", text, source=", ".join(found[0].sources), target=found[0].target, fix=FIX)


def _together(lossy: dict[str, list[Step]]) -> Finding:
    costs = [f"{layer} ({found[0].cost})" for layer, found in lossy.items()]
    shown = f"{'; '.join(costs[:3])}; and {len(costs) - 3} more (cost of each in its step)"
    return finding(
        "WB302", f"{len(lossy)} layers do not keep their function: {shown}", target=next(iter(lossy)), fix=FIX
    )
