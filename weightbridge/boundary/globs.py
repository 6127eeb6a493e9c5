"""Globs over names: `*`, `?`, `[a-z]`, `{kernel,bias}` and `{1..3}`, as users type and reports print them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache

from weightbridge.boundary.records import dataclass
from weightbridge.errors import UsageError

MOST = 10_000  # names that one pair of braces may stand for
_COUNTER = re.compile(r"(-?\d+)\.\.(-?\d+)")
_SET = re.compile(r"\[(!?)(\]?[^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a glob.

    regex: what it meets. choices: the texts of braces, in order. is_plain: it stands for itself.
    """

    text: str
    regex: str
    choices: tuple[str, ...] = ()
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Glob:
    """A glob and its pieces. A name that is spelt like the glob is met too, whatever signs it has."""

    text: str
    parts: tuple[Part, ...]

    @property
    def variable(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if not part.is_plain)

    def meets(self, name: str) -> bool:
        return name == self.text or self.found(name) is not None

    def found(self, name: str) -> tuple[str, ...] | None:
        """What each variable piece met; None where the name is another one."""
        match = _compiled(self.parts).fullmatch(name)
        return match.groups() if match else None


@lru_cache(maxsize=1 << 12)
def glob(text: str) -> Glob:
    """The pieces of a glob. A brace without a comma or `..`, or that is never closed, stands for itself."""
    return Glob(text, tuple(_merged(_parts(text))))


def met(text: str, names: Collection[str]) -> tuple[str, ...]:
    """The names that a glob meets: the one spelt like it alone, where there is one."""
    return (text,) if text in names else tuple(filter(glob(text).meets, names))


def mapped(left: str, right: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """(source, target) names that `left=right` joins.

    The n-th variable piece of the right takes what the n-th of the left met; two pairs of braces run in step.
    Raises UsageError where the right has more pieces than the left, or braces of another length.
    """
    names = tuple(names)
    if left in names:
        return [(left, right)]
    source, target = glob(left), glob(right)
    fillers = _fillers(source, target)
    found = ((name, source.found(name)) for name in names)
    return [(name, _filled(target, fillers, parts)) for name, parts in found if parts is not None]


def near(name: str, names: Iterable[str]) -> str:
    """`; near it: a, b`, or nothing."""
    plain = re.sub(r"[*?{}\[\]!]", "", name)
    close = get_close_matches(plain or name, tuple(names), n=3, cutoff=0.4)
    return f"; near it: {', '.join(close)}" if close else ""


Filler = Callable[[str], str]


def _fillers(source: Glob, target: Glob) -> tuple[Filler, ...]:
    given, wanted = source.variable, target.variable
    if len(wanted) > len(given):
        raise _uneven(source, target, "the target has more * and braces than the source")
    return tuple(_filler(source, target, *pair) for pair in zip(given, wanted, strict=False))


def _filler(source: Glob, target: Glob, given: Part, wanted: Part) -> Filler:
    if not wanted.choices:
        return str
    if len(given.choices) != len(wanted.choices):
        raise _uneven(
            source, target, f"{wanted.text} runs in step with {given.text}, which is of another length"
        )
    in_step = dict(zip(given.choices, wanted.choices, strict=True))
    return lambda text: in_step.get(text, text)


def _uneven(source: Glob, target: Glob, what: str) -> UsageError:
    fix = "use as many * and braces on both sides, and braces of one length"
    return UsageError(f"--map {source.text}={target.text}: {what}", fix=fix)


def _filled(target: Glob, fillers: Sequence[Filler], parts: Sequence[str]) -> str:
    values = iter([fill(part) for fill, part in zip(fillers, parts, strict=False)])
    return "".join(part.text if part.is_plain else next(values) for part in target.parts)


@lru_cache(maxsize=1 << 12)
def _compiled(parts: tuple[Part, ...]) -> re.Pattern[str]:
    pieces = (part.regex if part.is_plain else f"({part.regex})" for part in parts)
    return re.compile("".join(pieces), re.DOTALL)


def _parts(text: str) -> Iterator[Part]:
    place = 0
    while place < len(text):
        part = _part_at(text, place)
        yield part
        place += len(part.text)


def _part_at(text: str, place: int) -> Part:
    match text[place]:
        case "*":
            return Part("*", ".*")
        case "?":
            return Part("?", ".")
        case "[":
            return _set_at(text, place) or _plain("[")
        case "{":
            return _braces_at(text, place) or _plain("{")
        case sign:
            return _plain(sign)


def _plain(text: str) -> Part:
    return Part(text, re.escape(text), is_plain=True)


def _set_at(text: str, place: int) -> Part | None:
    found = _SET.match(text, place)
    if found is None or not found[2]:
        return None
    signs = re.sub(r"([\\\[\]^&~|])", r"\\\1", found[2])
    regex = f"[{'^' if found[1] else ''}{signs}]"
    try:
        re.compile(regex)
    except re.error:
        return None
    return Part(found[0], regex)


def _braces_at(text: str, place: int) -> Part | None:
    end = _closing(text, place)
    inner = text[place + 1 : end] if end else ""
    choices = _counted(inner) or _split(inner)
    if len(choices) < 2 and not _COUNTER.fullmatch(inner):
        return None
    regexes = ("".join(part.regex for part in _merged(_parts(choice))) for choice in choices)
    return Part(text[place : end + 1], f"(?:{'|'.join(regexes)})", choices)


def _closing(text: str, place: int) -> int:
    """The place of the brace that closes this one; 0 where there is none."""
    depth = 0
    for i in range(place, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if not depth:
            return i
    return 0


def _counted(inner: str) -> tuple[str, ...]:
    """`8..10` -> 8, 9, 10; `08..10` -> 08, 09, 10."""
    ends = _COUNTER.fullmatch(inner)
    if ends is None:
        return ()
    first, last = int(ends[1]), int(ends[2])
    if abs(last - first) >= MOST:
        raise UsageError(f"{{{inner}}} stands for more than {MOST:,} names", fix="use * instead")
    width = max(map(len, ends.groups())) if any(re.match(r"-?0\d", end) for end in ends.groups()) else 0
    step = 1 if last >= first else -1
    return tuple(str(n).zfill(width) for n in range(first, last + step, step))


def _split(inner: str) -> tuple[str, ...]:
    """At the commas that stand in no further braces."""
    choices, depth = [""], 0
    for sign in inner:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and not depth:
            choices.append("")
        else:
            choices[-1] += sign
    return tuple(choices)


def _merged(parts: Iterable[Part]) -> Iterator[Part]:
    """Neighbouring plain signs as one piece."""
    plain = ""
    for part in parts:
        if part.is_plain:
            plain += part.text
            continue
        if plain:
            yield _plain(plain)
        plain = ""
        yield part
    if plain:
        yield _plain(plain)
