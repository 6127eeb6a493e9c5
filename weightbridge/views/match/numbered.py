"""Numbers in names: the prefixes that count blocks, and what a run of neighbours is called."""

import re
from collections.abc import Iterable, Sequence

_PART = re.compile(r"[^/._:-]+")
_COUNTED = re.compile(r".*\d[a-z]?", re.DOTALL)
_DIMENSIONS = re.compile(r".*[123]d", re.DOTALL)  # conv2d
_NUMBER = re.compile(r"\d{1,9}")


def prefixes(name: str) -> tuple[str, ...]:
    """`conv2_block1_1_conv` -> conv2, conv2_block1, conv2_block1_1; shorter than the name, shortest first."""
    ends = (match.end() for match in _PART.finditer(name) if _is_counted(match.group()))
    return tuple(name[:end] for end in ends if end < len(name))


def shared(names: Iterable[str]) -> str:
    """The longest such prefix that all have; nothing where there is none."""
    first, *others = map(prefixes, names)
    common = [prefix for prefix in first if all(prefix in other for other in others)]
    return common[-1] if common else ""


def ranged(names: Sequence[str]) -> str:
    """`conv4_block2..36` where one number differs, else `first .. last`."""
    first, last = names[0], names[-1]
    if first == last:
        return first
    here, there = _NUMBER.findall(first), _NUMBER.findall(last)
    differing = [i for i, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]]
    is_one = _NUMBER.sub("\0", first) == _NUMBER.sub("\0", last) and len(differing) == 1
    if not is_one:
        return f"{first} .. {last}"
    end = list(_NUMBER.finditer(first))[differing[0]].end()
    return f"{first[:end]}..{there[differing[0]]}{first[end:]}"


def _is_counted(part: str) -> bool:
    return bool(_COUNTED.fullmatch(part)) and not _DIMENSIONS.fullmatch(part)
