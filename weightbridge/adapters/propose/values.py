"""What adapters propose: steps for target tensors, findings, and tensors left fresh on purpose."""

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding
from weightbridge.plan import Step

OF_PAIRS = frozenset(
    {"WB204", "WB205", "WB206", "WB210", "WB211", "WB301", "WB305", "WB306", "WB403", "WB404", "WB407"}
)  # what matching says of two layers that correspond

PADDED = ("kernel_size", "padding")  # what padding a kernel makes equal
BY_AXIS = (*PADDED, "strides", "dilation")  # what has a value for each axis of space
Place = tuple[str, str]  # a target layer and an attribute


@dataclass(frozen=True, slots=True)
class Proposal:
    """Steps override exact matches of the same target.

    `fresh` names target tensors of a replaced head, which get no step.

    different: the two are different architectures, whose layers do not correspond: what matching said of its
    pairs does not apply.
    refused: WB309 stands for all tensors that are left over on both sides.
    settled: (target layer, attribute) whose difference is no finding: kernels were padded with zeros so that
    the function is kept, or have another number of axes.
    decided: target layers whose source the user has said, so that nothing is ambiguous there.
    """

    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    fresh: frozenset[str] = frozenset()
    different: bool = False
    refused: bool = False
    settled: frozenset[Place] = frozenset()
    decided: frozenset[str] = frozenset()

    def settles(self, found: Finding) -> bool:
        """Whether the steps make a finding of the matching untrue."""
        is_equal = found.code == "WB403" and (found.target, found.about) in self.settled
        if found.code == "WB204" and found.target in self.decided:
            return True
        return is_equal or (self.different and found.code in OF_PAIRS)
