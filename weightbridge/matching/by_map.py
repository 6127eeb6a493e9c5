"""The user's map: `--map SOURCE=TARGET`, globs over layer names, before any other evidence."""

import re
from collections.abc import Iterable

from weightbridge.errors import UsageError
from weightbridge.matching.context import CERTAIN, Context
from weightbridge.matching.values import LayerPair


def by_map(context: Context) -> tuple[LayerPair, ...]:
    """One pair per layer of the source that a pattern names and whose counterpart the target has."""
    found = []
    sources = [u.name for u in context.source.weighted]
    targets = {u.name for u in context.target.weighted}
    for left, right in context.user_map:
        found += [LayerPair(s, t, CERTAIN, ("map",)) for s, t in mapped(left, right, sources) if t in targets]
    return tuple(found)


def mapped(left: str, right: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """(source, target) names that `left=right` joins: the n-th `*` of the right takes what the n-th `*` of the left met.

    Raises UsageError where the right has more stars than the left.
    """
    if right.count("*") > left.count("*"):
        raise UsageError(f"--map {left}={right}: the target has more * than the source", fix="use as many * on both sides")
    pattern = re.compile(".*".join(f"{re.escape(part)}" for part in left.split("*")).replace(".*", "(.*)"))
    found = []
    for name in names:
        match = pattern.fullmatch(name)
        if match:
            found.append((name, _filled(right, match.groups())))
    return found


def _filled(pattern: str, parts: Iterable[str]) -> str:
    stars = iter(parts)
    return re.sub(r"\*", lambda _: next(stars), pattern)
