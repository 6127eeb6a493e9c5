"""Wrappers and what they wrap: drawn by the wrapper itself, or for every time step."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from weightbridge.boundary.records import dataclass
from weightbridge.formats.keras.architecture.flow import Node, Source
from weightbridge.formats.keras.graph import op_of
from weightbridge.model.vocabulary import RECURRENT

# what both directions must have in common
ALIKE = (
    *("units", "activation", "recurrent_activation", "use_bias", "reset_after", "return_sequences"),
    *("return_state", "zero_output_for_mask"),
)
NOWHERE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scopes:
    """both_ways: the directions of Bidirectional wrappers that one node of ONNX runs. directions: of all of
    them, and the wrappers themselves. inside: of each node the TimeDistributed that it is within. first:
    what each such wrapper is fed. nodes: by name.
    """

    nodes: Mapping[str, Node]
    both_ways: frozenset[str]
    directions: frozenset[str]
    inside: Mapping[str, frozenset[str]]
    first: Mapping[str, Source]

    def outside(self, node: Node) -> Node:
        """A Bidirectional as one node between what feeds it and what it feeds."""
        if node.layer.class_name != "Bidirectional":
            return node
        return replace(node, sources=self.nodes[node.parts[0]].sources)

    def is_direction(self, node: Node) -> bool:
        return node.name in self.directions

    def entered(self, node: Node, source: Source) -> int:
        """How many wrappers a value comes into on its way to a node: two within one that wraps another."""
        return len(self.inside.get(node.name, NOWHERE) - self.inside.get(source.node, NOWHERE))

    def fed_to(self, node: Node) -> Source | None:
        """What a TimeDistributed is fed itself."""
        return self.first.get(node.name)


def scopes_of(nodes: Sequence[Node]) -> Scopes:
    by_name = {node.name: node for node in nodes}
    wrappers = [node for node in nodes if node.layer.class_name == "Bidirectional"]
    joined = [node for node in wrappers if _is_one_node([by_name[part] for part in node.parts])]
    every_step = list(_every_step(nodes))
    inside: dict[str, frozenset[str]] = defaultdict(frozenset)
    for name, wrapped in every_step:
        for one in wrapped:
            inside[one.name] |= {name}
    return Scopes(
        nodes=by_name,
        both_ways=frozenset(part for node in joined for part in node.parts),
        directions=frozenset(name for node in wrappers for name in (node.name, *node.parts)),
        inside=dict(inside),
        first={name: _entering(wrapped) for name, wrapped in every_step},
    )


def _every_step(nodes: Sequence[Node]) -> Iterator[tuple[str, list[Node]]]:
    """Each TimeDistributed and what it wraps."""
    for place, node in enumerate(nodes):
        if node.layer.class_name == "TimeDistributed":
            yield node.name, _wrapped(nodes[:place], node.owner)


def _is_one_node(directions: Sequence[Node]) -> bool:
    """Whether ONNX has a node that runs both, forward first."""
    forward, backward = (node.layer for node in directions)
    same = all(forward.config.get(key) == backward.config.get(key) for key in ALIKE)
    is_known = {op_of(node) for node in directions} <= RECURRENT
    turns = [bool(layer.config.get("go_backwards")) for layer in (forward, backward)]
    return is_known and same and forward.class_name == backward.class_name and turns == [False, True]


def _wrapped(before: Sequence[Node], owner: str) -> list[Node]:
    """The nodes of this call of a wrapper stand right before it."""
    found: list[Node] = []
    for node in reversed(before):
        if not node.name.startswith(f"{owner}/"):
            break
        found.append(node)
    return found[::-1]


def _entering(wrapped: Sequence[Node]) -> Source:
    names = {node.name for node in wrapped}
    return next(source for node in wrapped for source in node.sources if source.node not in names)
