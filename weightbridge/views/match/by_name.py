"""Names without data flow in groups: by numbered prefix, else by the scope that holds no numbered ones."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

NEARLY = 0.8  # of the layers under a prefix
LEAST = 4  # layers of a block on average
_SCOPE = re.compile(r"(.+)[/.][^/.]+", re.DOTALL)


def telling(numbers: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Numbered prefixes of layers, as deep as they name blocks.

    One goes deeper where nearly all under it does, into parts of some layers each: from `layers.0` to
    `layers.0.blocks.1`, and not to `layers.0.experts.1` beside `layers.0.attention`.
    """
    under = Counter(prefix for prefixes in numbers for prefix in prefixes)
    parts: dict[str, set[str]] = {}
    for prefixes in numbers:
        for outer, inner in pairwise(prefixes):
            parts.setdefault(outer, set()).add(inner)
    deeper = {
        outer
        for outer, inner in parts.items()
        if (inside := sum(under[one] for one in inner)) >= under[outer] * NEARLY
        and inside >= len(inner) * LEAST
    }
    return [_until(prefixes, deeper) for prefixes in numbers]


def named_groups(names: Sequence[str], numbers: Sequence[Sequence[str]]) -> list[tuple[str, list[int]]]:
    """The groups and their places in `names`, in the order of the first of each.

    numbers: the numbered prefixes of each name. `layers.0.fc` with `layers.0` goes to `layers.0`;
    `embeddings.word` to `embeddings`; `model.norm` stays alone beside `model.layers.0`.
    """
    outer = {scope for prefix in numbers for one in prefix for scope in _scopes(one)}
    groups: dict[str, list[int]] = {}
    for i, (name, prefix) in enumerate(zip(names, numbers, strict=True)):
        groups.setdefault(prefix[-1] if prefix else _alone(name, outer), []).append(i)
    return list(groups.items())


def _until(prefixes: Sequence[str], deeper: set[str]) -> Sequence[str]:
    """Up to the first that goes no deeper."""
    last = next((i for i, prefix in enumerate(prefixes) if prefix not in deeper), len(prefixes))
    return prefixes[: last + 1]


def _alone(name: str, outer: set[str]) -> str:
    scope = next(_scopes(name), name)
    return name if scope in outer else scope


def _scopes(name: str) -> Iterator[str]:
    """`a.b.c` -> a.b, a"""
    while match := _SCOPE.fullmatch(name):
        name = match[1]
        yield name
