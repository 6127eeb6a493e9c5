"""The report as GitHub's Markdown, under 60 KB: the digest in tables, the findings of a code collapsed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.digest import Digest, digest
from weightbridge.report.digest.values import Group
from weightbridge.report.escape import markdown, markdown_code
from weightbridge.report.render.layout import shell
from weightbridge.report.words import counted, measured, percent

LIMIT = 60_000
ROWS = 200  # of one code
LONGEST = 400  # signs of a message
LONGEST_COMMAND = 5_000
ELSEWHERE_COMMAND = "a command too long for this place, which `--report text` has"
ELSEWHERE = "`--report json=PATH` has them all"
SEVERITIES = ("error", "warning", "note")


def render(report: Mapping[str, Any]) -> str:
    """With the findings of each code in full, as far as there is room."""
    made = digest(report)
    head = "\n".join(head_lines(made))
    end = "\n".join(ways(made))
    room = LIMIT - 200 - len(f"{head}\n{end}".encode())
    return f"{head}\n{''.join(_sections(made, room))}{end}\n"


def head_lines(made: Digest) -> Iterator[str]:
    """Verdict, why, models, ledger, stages and depth."""
    counts = [counted(made.counts[key], key) for key in SEVERITIES if made.counts[key]]  # type: ignore[index]
    yield f"## weightbridge: {made.verdict.upper()} {markdown(made.command)}\n"
    yield f"**{markdown(made.why, LONGEST)}** {', '.join(counts) or 'No findings'}; exit {made.exit_code}.\n"
    yield from _table(("side", "model", "format", "layers", "tensors", "parameters"), "llllrr", _models(made))
    yield from _table(("", "of the parameters", "parameters", "tensors", ""), "lrrrl", _ledger(made))
    yield from _facts(made)
    yield from _table(
        ("stage", "convolutions of the target", "start from", "contract"), "llll", _stages(made)
    )
    yield from _table(("by depth", "layers", "times the noise floor", "allowed", ""), "llrrl", _depth(made))


def summary_lines(made: Digest) -> Iterator[str]:
    """A line for each code, worst first."""
    for group in made.groups:
        yield f"- {title(group)}: {markdown(group.text, LONGEST)}"


def title(group: Group) -> str:
    return f"**{group.severity} {group.code} {group.name}**"


def ways(made: Digest) -> Iterator[str]:
    """The commands in code fences that no name can close."""
    if not made.ways:
        return
    yield "\n### Next\n"
    for way in made.ways:
        text = " ".join(map(shell, way.arguments))
        if len(text) > LONGEST_COMMAND:
            yield f"{markdown(way.purpose).capitalize()}: {ELSEWHERE_COMMAND}\n"
            continue
        fence = "```"
        while fence in text:
            fence += "`"
        yield f"{markdown(way.purpose).capitalize()}:\n\n{fence}sh\n{text}\n{fence}\n"


def _models(made: Digest) -> list[Sequence[str]]:
    return [
        (row.side, markdown_code(row.path), markdown(row.kind), f"{row.layers:,}", f"{row.tensors:,}",
         f"{row.parameters:,}")
        for row in made.models
    ]  # fmt: skip


def _ledger(made: Digest) -> list[Sequence[str]]:
    return [
        (row.share, percent(row.fraction), f"{row.parameters:,}", f"{row.tensors:,} of {row.of_tensors:,}",
         row.meaning)
        for row in made.ledger
    ]  # fmt: skip


def _facts(made: Digest) -> Iterator[str]:
    if made.asked:
        yield f"- asked: {markdown_code(' '.join(map(shell, made.asked)))}"
    if made.used:
        yield f"- source: {made.used}"
    yield from (f"- proven: {markdown(sentence, LONGEST)}" for sentence in made.proven)
    if made.wrote:
        yield f"- wrote: {markdown(made.wrote)}"
    if made.baseline:
        yield f"- baseline: {made.baseline}"
    yield ""


def _stages(made: Digest) -> list[Sequence[str]]:
    return [
        (row.stage, f"{row.layers:,}: {_range(row.first, row.last)}",
         f"{row.source_layers:,}{' at ' if row.source_at else ''}{', '.join(row.source_at)}", row.contract)
        for row in made.stages
    ]  # fmt: skip


def _depth(made: Digest) -> list[Sequence[str]]:
    if made.depth is None:
        return []
    found = made.depth
    named = (("before", found.before), ("the first", found.first), ("behind", found.behind))
    return [
        (name, f"{row.layers:,}: {_range(row.first, row.last)}", measured(row.ratio), measured(row.limit),
         f"{row.differ:,} differ" if row.differ else "equal")
        for name, row in named if row
    ]  # fmt: skip


def _range(first: str, last: str) -> str:
    return markdown_code(first) if first == last else f"{markdown_code(first)} .. {markdown_code(last)}"


def _table(titles: Sequence[str], kinds: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "|".join("---:" if kind == "r" else "---" for kind in kinds) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _sections(made: Digest, room: int) -> Iterator[str]:
    """A collapsed section for each code, errors open, as far as there is room for their lines."""
    heads = {group.code: _opening(group) for group in made.groups}
    end = "\n</details>\n"
    fixed = sum(len(head.encode()) + len(end) + 200 for head in heads.values())
    left = max(room - fixed, 0)
    for number, group in enumerate(made.groups):
        share = left // (len(made.groups) - number)
        lines = _fitting(list(_lines(group))[:ROWS], len(group.findings), share)
        left -= len(lines.encode())
        yield f"{heads[group.code]}{lines}{end}"


def _opening(group: Group) -> str:
    is_open = " open" if group.severity == "error" else ""
    text = markdown(group.text, LONGEST)
    return f"\n<details{is_open}><summary>{title(group).strip('*')}: {text}</summary>\n\n"


def _lines(group: Group) -> Iterator[str]:
    """Each finding with its place, its message and what to do."""
    for found in group.findings:
        names = [markdown_code(name) for name in (found["target"], found["source"]) if name]
        place = f"{' ← '.join(names)}: " if names else ""
        fix = f" *{markdown(found['fix'], LONGEST)}*" if found["fix"] else ""
        yield f"- {place}{markdown(found['message'], LONGEST)}{fix}"


def _fitting(lines: list[str], total: int, room: int) -> str:
    """As many lines as there is room for, and how many more there are."""
    size, kept = 0, 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > room:
            break
        kept += 1
    more = [f"\n{total - kept:,} findings more: {ELSEWHERE}"] if kept < total else []
    return "\n".join([*lines[:kept], *more]) + "\n"
