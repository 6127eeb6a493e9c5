"""Functions in single steps (gelu, swish, layer normalisation), found back from their last node."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Draft, Site, Slot, is_float
from weightbridge.formats.onnx.groups.function import Function, Steps
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.arithmetic import MEANS, OPERATIONS
from weightbridge.formats.onnx.values.net import Constant

EXITS = frozenset({"Add", "Sub", "Mul", "Div", "Where"})
NONLINEAR = frozenset({
    "Sigmoid", "Erf", "Erfc", "Tanh", "Softplus", "Clip", "Relu", "HardSigmoid", "Exp", "Sqrt", "Pow", "Max",
    "Min", "Less",
})  # fmt: skip
STEPS = 24  # nodes that one function may be written in
CONSTANTS = 2  # at most, beside plain numbers


@dataclass(frozen=True, slots=True)
class Region:
    """Nodes between one value that goes in (`root`) and one that comes out, with what else they read."""

    root: str
    nodes: tuple[int, ...]
    constants: Mapping[str, Constant]
    scalars: Mapping[str, float]


def region_drafts(site: Site, taken: Mapping[int, Draft]) -> dict[int, Draft]:
    """Drafts of whole regions by each node they stand for, the latest and longest first.

    taken: the drafts of nodes that are taken already; they are among the result.
    """
    claimed = dict(taken)
    for index in reversed(range(len(site.net.nodes))):
        node = site.net.nodes[index]
        if node.op not in EXITS or index in claimed or node.domain:
            continue
        draft = _longest(site, index, claimed)
        if draft is not None:
            claimed.update(dict.fromkeys(draft.nodes, draft))
    return claimed


def _longest(site: Site, exit_index: int, claimed: Mapping[int, Draft]) -> Draft | None:
    from weightbridge.formats.onnx.groups.recognise import recognise  # which few nodes ask for

    longest = None
    for region in _regions(site, exit_index, claimed):
        nodes = tuple(site.net.nodes[i] for i in region.nodes)
        if not any(node.op in NONLINEAR for node in nodes):
            continue
        shapes = {value: constant.shape or () for value, constant in region.constants.items()}
        function = recognise(Steps(nodes, region.root, region.scalars, shapes), site)
        if function is not None:
            longest = _draft(site, region, function)
    return longest


@dataclass(slots=True)
class _Reads:
    """What the nodes of a growing region read. frontier: data values that are computed outside of it."""

    frontier: set[str] = field(default_factory=set)
    constants: dict[str, Constant] = field(default_factory=dict)
    scalars: dict[str, float] = field(default_factory=dict)


def _regions(site: Site, exit_index: int, claimed: Mapping[int, Draft]) -> Iterator[Region]:
    """Growing regions that end at this node, each time one value remains that all is computed from."""
    net, taken, reads = site.net, {exit_index}, _Reads()
    is_readable = _read(site, net.nodes[exit_index], reads)
    for _ in range(STEPS):
        if not is_readable:
            return
        if len(reads.frontier) == 1 and len(taken) > 1:
            root = next(iter(reads.frontier))
            yield Region(root, tuple(sorted(taken)), dict(reads.constants), dict(reads.scalars))
        value = max(reads.frontier, key=lambda v: net.producer.get(v, -1), default="")
        index = net.producer.get(value)
        if index is None or index in claimed or not _is_inner(site, value, taken):
            return
        taken.add(index)
        reads.frontier.remove(value)
        is_readable = _read(site, net.nodes[index], reads)


def _is_inner(site: Site, value: str, taken: set[int]) -> bool:
    """Whether a step makes the value, and the region alone reads it."""
    node = site.net.source(value)
    if node is None or not _is_step(site, node) or site.net.is_output(value):
        return False
    return taken.issuperset(site.net.consumers.get(value, ()))


def _is_step(site: Site, node: Node) -> bool:
    if node.op == "Reshape":  # into the shape that it has: what is left of two transposes of a mean
        before, after = site.shapes.get(node.inputs[0]), site.shapes.get(node.outputs[0])
        return before is not None and after is not None and before[1:] == after[1:]
    return node.op in OPERATIONS and not node.domain


def _read(site: Site, node: Node, reads: _Reads) -> bool:
    """Notes what a node reads. False where that is something that no function of one value holds."""
    has_parameter = node.op in (*MEANS, "Reshape")  # axes, or a shape
    for i, value in enumerate(node.inputs):
        if not value or (i == 1 and has_parameter):
            continue
        if not _note(site, value, reads):
            return False
    return len(reads.constants) <= CONSTANTS


def _note(site: Site, value: str, reads: _Reads) -> bool:
    constant, number = site.constant(value), site.net.scalar(value)
    if site.net.is_data(value):
        reads.frontier.add(value)
    elif number is not None:
        reads.scalars[value] = number
    elif constant is not None and constant.shape is not None and is_float(constant):
        reads.constants[value] = constant
    else:
        return False
    return True


def _draft(site: Site, region: Region, function: Function) -> Draft:
    exit_value = site.net.nodes[region.nodes[-1]].outputs[0]
    ops = dict.fromkeys(site.net.nodes[i].op for i in region.nodes)
    return Draft(
        op=function.op,
        class_name="+".join(ops),
        nodes=region.nodes,
        inputs=(region.root,),
        outputs=(exit_value,),
        shown=exit_value,
        attributes=function.attributes,
        slots=tuple(Slot(role, region.constants[value]) for role, value in function.roles),
    )
