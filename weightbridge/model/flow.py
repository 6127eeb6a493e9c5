"""What stands before a layer in the data flow."""

from typing import Any


def ancestors(dag: Any, name: str) -> set[str]:
    """The names of all layers whose output reaches this one; a layer that a loop comes back to is its own."""
    seen, left = set[str](), [name]
    while left:
        for before in dag.predecessors(left.pop()):
            if before not in seen:
                seen.add(before)
                left.append(before)
    return seen
