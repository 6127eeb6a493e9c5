"""Names that differ by what all names of one side share: a prefix or a suffix such as `net_` or `_1`."""

from collections.abc import Sequence

Key = tuple[str, ...]
ENDS = "/_-"


def same_inside(left: Sequence[Key], right: Sequence[Key]) -> dict[Key, Key]:
    """right -> left where what is left of all names of the smaller side, without the shared affixes, is found
    on the other.
    """
    a, b = _inside(left), _inside(right)
    found = {b[name]: a[name] for name in b if name in a}
    return found if len(found) == min(len(left), len(right)) > 1 else {}


def _inside(keys: Sequence[Key]) -> dict[str, Key]:
    """The names without what all of them share, at whole words; nothing where that makes two names one."""
    names = ["/".join(key) for key in keys]
    start = _at_word(_shared(names))
    end = _at_word(_shared([name[start:][::-1] for name in names]))
    cut = {name[start : len(name) - end]: key for name, key in zip(names, keys, strict=True)}
    return cut if len(cut) == len(keys) else {}


def _at_word(shared: str) -> int:
    return max((shared.rfind(mark) + 1 for mark in ENDS), default=0)


def _shared(names: Sequence[str]) -> str:
    """The longest beginning of all names: that of the first and the last in order."""
    first, last = min(names, default=""), max(names, default="")
    return first[
        : next(
            (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
            min(len(first), len(last)),
        )
    ]
