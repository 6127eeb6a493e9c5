"""Wrappers and what they wrap: drawn by the wrapper itself, or for every time step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from weightbridge.formats.keras.architecture.flow import Node, Source


@dataclass(frozen=True, slots=True)
class Scopes:
    """both_ways: the directions of Bidirectional wrappers. inside: of each node that a TimeDistributed wraps
    its wrapper. first: what each such wrapper is fed. nodes: by name.
    """

    nodes: Mapping[str, Node]
    both_ways: frozenset[str]
    inside: Mapping[str, str]
    first: Mapping[str, Source]

    def outside(self, node: Node) -> Node:
        """A Bidirectional as one node between what feeds it and what it feeds."""
        if node.layer.class_name != "Bidirectional":
            return node
        return replace(node, sources=self.nodes[node.parts[0]].sources)

    def enters(self, node: Node, source: Source) -> bool:
        """Whether a value comes from before the wrapper that a node is in."""
        wrapper = self.inside.get(node.name)
        return wrapper is not None and self.inside.get(source.node) != wrapper

    def fed_to(self, node: Node) -> Source | None:
        """What a TimeDistributed is fed itself."""
        return self.first.get(node.name)


def scopes_of(nodes: Sequence[Node]) -> Scopes:
    both_ways: set[str] = set()
    inside: dict[str, str] = {}
    first: dict[str, Source] = {}
    for place, node in enumerate(nodes):
        if node.layer.class_name == "Bidirectional":
            both_ways |= set(node.parts)
        elif node.layer.class_name == "TimeDistributed":
            wrapped = _wrapped(nodes[:place], node.owner)
            inside |= {one.name: node.name for one in wrapped if one.name not in inside}
            first[node.name] = _entering(wrapped)
    return Scopes({node.name: node for node in nodes}, frozenset(both_ways), inside, first)


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
