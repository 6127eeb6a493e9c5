"""The opening of a text report: the two models, what was asked for, the ledger, and what is proven."""

from collections.abc import Iterator, Sequence

from weightbridge.report.digest.values import Digest, LedgerRow, ModelRow
from weightbridge.report.escape import visible
from weightbridge.report.render.layout import (
    BLANK,
    Line,
    bar,
    cells,
    line,
    padded,
    shell,
    wrapped,
)
from weightbridge.report.words import percent

BAR = 20
SHARE = 34  # columns before the bar
COUNTS = 39  # columns of a model's counts
INDENT = 10
SHARE_STYLES = {"exact": "green", "adapted": "yellow", "fresh": "cyan", "kept": "dim"}


def models(made: Digest, width: int) -> Iterator[Line]:
    """One line a model where there is room, else its name stands alone."""
    if not made.models:
        return
    yield BLANK
    names = max(cells(_name(row)) for row in made.models)
    kinds = max(cells(visible(row.kind)) for row in made.models)
    is_wide = INDENT + names + 1 + kinds + COUNTS > width
    for row in made.models:
        yield from _in_two(row, kinds, width) if is_wide else (_in_one(row, names, kinds),)
    if made.asked:
        yield from wrapped(_asked(made.asked), width, 2, INDENT)


def ledger(made: Digest, width: int, lines: int) -> Iterator[Line]:
    """Shares by contract, what became of the source, what is proven and what was written."""
    if made.ledger:
        yield BLANK
    tails = [_tail(row) for row in made.ledger]
    room = width - SHARE - max(map(len, tails), default=0)
    for row, tail in zip(made.ledger, tails, strict=True):
        yield _share(row, tail, min(BAR, max(room, 1)))
    if made.used:
        yield from wrapped(f"source  {made.used}", width, 2, INDENT)
    for i, sentence in enumerate(made.proven[: lines + 2]):
        label = "proven  " if i == 0 else ""
        yield from wrapped(f"{label}{sentence}", width, 2 if label else INDENT, INDENT)
    if made.wrote:
        yield from wrapped(f"wrote   {made.wrote}", width, 2, INDENT)
    if made.baseline:
        yield line(f"  known   {made.baseline} (baseline)")


def _name(row: ModelRow) -> str:

    return visible(row.path)


def _in_one(row: ModelRow, names: int, kinds: int) -> Line:
    return line(f"  {row.side}  {padded(_name(row), names)} {padded(visible(row.kind), kinds)}{_counts(row)}")


def _in_two(row: ModelRow, kinds: int, width: int) -> Iterator[Line]:
    yield from wrapped(f"{row.side}  {row.path}", width, 2, INDENT)
    yield line(f"{' ' * INDENT}{padded(visible(row.kind), kinds)}{_counts(row)}")


def _counts(row: ModelRow) -> str:
    return f"{row.layers:>7,} layers{row.tensors:>5,} tensors{row.parameters:>12,}"


def _asked(options: Sequence[str]) -> str:
    return f"asked   {' '.join(map(shell, options))}"


def _tail(row: LedgerRow) -> str:
    return f"{row.tensors:>5,} of {row.of_tensors:,} tensors  {row.meaning}"


def _share(row: LedgerRow, tail: str, width: int) -> Line:
    head = f"  {row.share:<9}{percent(row.fraction):>8}{row.parameters:>13,}  "
    return ((head, ""), (bar(row.fraction, width), SHARE_STYLES[row.share]), (tail, ""))
