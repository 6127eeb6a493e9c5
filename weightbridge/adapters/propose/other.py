"""Another architecture (WB309): what corresponds, and the way to adapt it nevertheless."""

from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.values import Proposal
from weightbridge.errors.diagnostics import finding

Share = tuple[int, int, float]  # how many of how many layers, and as a fraction
OTHER_SOURCE = "give a source of the target's architecture"
ADAPT = (
    "or --adapt weights, which starts the target from the source's weights as far as they fit: train it then"
)
MAP = "or map what belongs together"


def refused(setting: Setting, shares: tuple[Share, Share], across: Proposal) -> Proposal:
    """No steps, and the finding. across: what adapting across architectures would propose."""
    (used, theirs, _), (filled, ours, _) = shares
    exact = sum(setting.target.tensor_by_name[name].size for name in setting.matches)
    parameters = sum(tensor.size for tensor in setting.target.tensors)
    what = (
        f"the source is another architecture: {filled} of the target's {ours} layers before its head, and "
        f"{used} of the source's {theirs}, correspond; {exact:,} of {parameters:,} parameters fit exactly"
    )
    helps = any(step.sources for step in across.steps)
    found = finding("WB309", what, fix=f"{OTHER_SOURCE}, {ADAPT if helps else MAP}")
    return Proposal(findings=(found,), different=True, refused=True)
