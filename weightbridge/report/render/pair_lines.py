"""The text of several pairs: a line for each, then those that are to be looked at."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from weightbridge.report.digest import Digest, digest
from weightbridge.report.render.layout import BLANK, Line, cells, fitted, line, padded, wrapped
from weightbridge.report.values import ORDER
from weightbridge.report.words import counted, percent

Json = Mapping[str, Any]
GOOD = ("pass",)  # verdicts of which a text says no more than a line
BLOCKS = 5  # pairs that a text tells in full
NAME = 40  # columns of a name


def text_lines(report: Json, width: int, block: Callable[[Json, int], list[Line]]) -> Iterator[Line]:
    """A line for each pair, then those that are to be looked at. block: the text of one."""
    yield _headline(report, width)
    yield from wrapped(why(report), width, 0, 2)
    yield BLANK
    yield from _rows(report["pairs"])
    told = [pair for pair in report["pairs"] if pair["verdict"] not in GOOD]
    told.sort(key=lambda pair: ORDER.index(pair["verdict"]))
    for pair in told[:BLOCKS]:
        yield from (BLANK, line(f"== {name_of(pair)} {'=' * 20}", "bold"))
        yield from block(pair, width)
    more = len(told) - BLOCKS
    if more > 0:
        yield from (BLANK, line(f"{counted(more, 'pair')} more to look at: --report json"))
    yield from (BLANK, line(f"exit {report['exit_code']}", "dim"))


def _headline(report: Json, width: int) -> Line:
    verdict = f"{report['verdict'].upper()} {report['command']}"
    counts = counted(len(report["pairs"]), "pair")
    return line(f"{verdict}{' ' * max(width - cells(verdict) - len(counts), 1)}{counts}", "bold")


def why(report: Json) -> str:
    verdicts = Counter(pair["verdict"] for pair in report["pairs"])
    parts = [f"{verdicts[verdict]:,} {verdict}" for verdict in ORDER if verdicts[verdict]]
    of = f" of {report['config']}" if report.get("config") else ""
    return f"{counted(len(report['pairs']), 'pair')}{of}: {', '.join(parts) or 'none'}."


def _rows(pairs: list[Json]) -> Iterator[Line]:
    column = max((cells(fitted(name_of(pair), NAME)) for pair in pairs), default=0)
    for pair in pairs:
        name = padded(fitted(name_of(pair), NAME), column)
        yield line(f"  {pair['verdict'].upper():<12} {name}  {_in_short(digest(pair))}")


def _in_short(made: Digest) -> str:
    """`100.00 % exact, 2 warnings`."""
    exact = sum(row.fraction for row in made.ledger if row.share == "exact")
    parts = [f"{percent(exact)} exact"] if made.ledger else []
    parts += [counted(count, severity) for severity, count in made.counts.items() if count]
    return ", ".join(parts)


def name_of(pair: Json) -> str:
    return str(pair.get("pair", ""))
