"""The fewest globs that name some tensors and none of the others: `conv3*` rather than 78 names."""

import re
from collections.abc import Collection, Iterable, Iterator

from weightbridge.boundary.globs import glob

MOST = 12  # in one command
PARTS, LAYERS = re.compile(r"[^/._]*[/._]?"), re.compile(r"[^/.]*[/.]?")
_SPECIAL = re.compile(r"[*?\[\]{}]")


def fewest(
    names: Collection[str], others: Collection[str], parts: re.Pattern[str] = PARTS
) -> tuple[str, ...]:
    """Globs that meet every one of `names` and none of `others`, in the order of the names.

    parts: of a name, behind which a glob may end.

    `*` alone where there are no others; nothing where it takes more than MOST.
    """
    if not names:
        return ()
    if not others:
        return ("*",)
    wanted, taken = list(dict.fromkeys(names)), frozenset(others)
    prefixes = frozenset(prefix for name in taken for prefix in _beginnings(name, parts))
    globs = dict.fromkeys(_widest(name, prefixes, parts) for name in wanted)
    return tuple(dict.fromkeys(_checked(globs, taken))) if len(globs) <= MOST else ()


def by_first_part(names: Iterable[str]) -> list[str]:
    """How many names begin with the same part, in order: `conv4* 76`; a name that stands alone as it is."""
    found: dict[str, list[str]] = {}
    for name in names:
        part = re.split(r"[/._]", name, maxsplit=1)[0]
        found.setdefault(part or name, []).append(name)
    return [f"{part}* {len(mine):,}" if len(mine) > 1 else mine[0] for part, mine in found.items()]


def _beginnings(name: str, parts: re.Pattern[str]) -> Iterator[str]:
    """Every beginning of a name that ends with one of its parts; the last is the name itself."""
    end = 0
    for match in parts.finditer(name):
        if match.end() > end:
            end = match.end()
            yield name[:end]


def _widest(name: str, taken: frozenset[str], parts: re.Pattern[str]) -> str:
    """The shortest beginning that no other name has, as a glob; the name itself where there is none."""
    if _SPECIAL.search(name):
        return name
    prefix = next((part for part in _beginnings(name, parts) if part not in taken), name)
    return name if prefix == name else f"{prefix}*"


def _checked(globs: Iterable[str], taken: frozenset[str]) -> Iterator[str]:
    """`conv3_*` as `conv3*` where that names nothing else; `layer/*` stays."""
    for text in globs:
        short = f"{text[:-2]}*" if text.endswith("_*") else text
        is_free = not any(map(glob(short).meets, taken))
        yield short if is_free else text
