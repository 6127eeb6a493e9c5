"""Where in the file the second reader of an initializer reads it, so that it can be given its own."""

from collections.abc import Iterator, Mapping

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Draft, Site
from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.formats.onnx.values.constants import Constant

Place = tuple[str, int]  # a node by its first output, and which of its inputs


@dataclass(frozen=True, slots=True)
class Use:
    """One input of a node of the file's own graph that reads an initializer as it is."""

    output: str
    place: int
    header: TensorHeader


def uses_of(site: Site, nodes: Mapping[str, Node], draft: Draft) -> dict[str, Use]:
    """By role: the tensors of a layer that a node of the file reads without a view between.

    nodes: those of the file's own graph by their first outputs.
    """
    taken: set[Place] = set()
    found: dict[str, Use] = {}
    for slot in draft.slots:
        use = _use(site, nodes, draft, slot.constant.header, taken)
        if use is not None:
            found[slot.role] = use
            taken.add((use.output, use.place))
    return found


def _use(
    site: Site, nodes: Mapping[str, Node], draft: Draft, header: TensorHeader, taken: set[Place]
) -> Use | None:
    if header.rows is not None or header.scaling is not None:
        return None
    places = (place for index in draft.nodes for place in _read_at(site, nodes, index, header))
    free = next((place for place in places if place not in taken), None)
    return None if free is None else Use(*free, header)


def _read_at(site: Site, nodes: Mapping[str, Node], index: int, header: TensorHeader) -> Iterator[Place]:
    """The inputs of a node at which it reads a tensor as it is stored."""
    node = site.net.nodes[index]
    output = node.outputs[0] if node.outputs else ""
    own = nodes.get(output)
    if own is None or (own.op, len(own.inputs)) != (node.op, len(node.inputs)):
        return
    for place, value in enumerate(node.inputs):
        constant = site.net.constants.get(value)
        if constant is not None and constant.header is header and _is_as_stored(constant):
            yield output, place


def _is_as_stored(constant: Constant) -> bool:
    return all(view.op == "Identity" for view in constant.views)
