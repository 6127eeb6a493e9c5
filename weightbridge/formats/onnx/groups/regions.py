"""Functions that an exporter wrote out in single steps (gelu, swish, layer normalisation): found by walking
back from their last node.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weightbridge.formats.onnx.drafts import Draft, Site, Slot, is_float
from weightbridge.formats.onnx.groups.recognise import NONLINEAR, Function, recognise
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.arithmetic import MEANS, OPERATIONS
from weightbridge.formats.onnx.values.net import Constant

EXITS = frozenset({"Add", "Sub", "Mul", "Div"})
STEPS = 24  # nodes that one function may be written in


@dataclass(frozen=True, slots=True)
class Region:
    """Nodes between one value that goes in (`root`) and one that comes out, with the constants that they
    read.
    """

    root: str
    nodes: tuple[int, ...]
    constants: Mapping[str, Constant]
    scalars: Mapping[str, float]


def region_drafts(site: Site, taken: Mapping[int, Draft]) -> dict[int, Draft]:
    """Drafts of whole regions by each node they stand for, the latest and longest first; with those that
    nodes are taken by already.
    """
    claimed = dict(taken)
    for index in reversed(range(len(site.net.nodes))):
        node = site.net.nodes[index]
        if node.op not in EXITS or index in claimed or node.domain:
            continue
        found = _longest(site, index, claimed)
        if found is not None:
            claimed.update(dict.fromkeys(found.nodes, found))
    return claimed


def _longest(site: Site, exit_index: int, claimed: Mapping[int, Draft]) -> Draft | None:
    best = None
    for region in _regions(site, exit_index, claimed):
        nodes = [site.net.nodes[i] for i in region.nodes]
        if not any(n.op in NONLINEAR for n in nodes):
            continue
        function = recognise(
            nodes, region.root, region.scalars, {k: c.shape or () for k, c in region.constants.items()}, site
        )
        best = best if function is None else _draft(site, region, function)
    return best


def _regions(site: Site, exit_index: int, claimed: Mapping[int, Draft]) -> Iterator[Region]:
    """Growing regions that end at this node: each time a single value remains that all of it is computed
    from.
    """
    net, taken = site.net, {exit_index}
    constants: dict[str, Constant] = {}
    scalars: dict[str, float] = {}
    frontier = _inputs(site, net.nodes[exit_index], constants, scalars)
    for _ in range(STEPS):
        if frontier is None:
            return
        if len(frontier) == 1 and (len(taken) > 1):
            yield Region(next(iter(frontier)), tuple(sorted(taken)), dict(constants), dict(scalars))
        value = max(frontier, key=lambda v: net.producer.get(v, -1), default="")
        index = net.producer.get(value)
        if index is None or index in claimed or not _is_step(site, net.nodes[index]):
            return
        if value in net.outputs or not taken.issuperset(net.consumers.get(value, ())):
            return
        taken.add(index)
        added = _inputs(site, net.nodes[index], constants, scalars)
        frontier = None if added is None else (frontier - {value}) | added


def _is_step(site: Site, node: Node) -> bool:
    if node.op == "Reshape":  # into the shape that it has: what is left of two transposes of a mean
        before, after = site.shapes.get(node.inputs[0]), site.shapes.get(node.outputs[0])
        return before is not None and after is not None and before[1:] == after[1:]
    return node.op in OPERATIONS and not node.domain


def _inputs(
    site: Site, node: Node, constants: dict[str, Constant], scalars: dict[str, float]
) -> set[str] | None:
    """The data values a node reads; its constants are noted. None where it reads something that no function
    of one value holds.
    """
    found: set[str] = set()
    for i, value in enumerate(node.inputs):
        constant, number = site.constant(value), site.net.scalar(value)
        if not value or (i == 1 and node.op in (*MEANS, "Reshape")):  # axes, or a shape
            continue
        if site.net.is_data(value):
            found.add(value)
        elif number is not None:
            scalars[value] = number
        elif constant is not None and constant.shape is not None and is_float(constant):
            constants[value] = constant
        else:
            return None
    return found if len(constants) <= 2 else None


def _draft(site: Site, region: Region, function: Function) -> Draft:
    exit_value = site.net.nodes[region.nodes[-1]].outputs[0]
    slots = tuple(Slot(role, region.constants[value], "") for role, value in function.roles)
    class_name = "+".join(dict.fromkeys(site.net.nodes[i].op for i in region.nodes))
    return Draft(
        function.op,
        class_name,
        region.nodes,
        (region.root,),
        (exit_value,),
        exit_value,
        function.attributes,
        slots,
    )
