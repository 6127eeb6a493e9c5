"""The reports of all pairs of a policy in one text, page or file, whatever the format."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from weightbridge.report.digest import digest
from weightbridge.report.escape import markdown, markdown_code, visible
from weightbridge.report.render import comment, github, gitlab, json, junit, sarif, text
from weightbridge.report.render import markdown as pages
from weightbridge.report.render.pair_lines import NAME, name_of, why
from weightbridge.report.values import ORDER
from weightbridge.report.words import percent

Json = Mapping[str, Any]


def _lean(report: Json) -> str:
    pairs = [{key: value for key, value in pair.items() if key != "graphs"} for pair in report["pairs"]]
    return json.render({**report, "pairs": pairs})


def _markdown(report: Json) -> str:
    """The table of pairs, then the page of each, as far as there is room; the worst first."""
    parts = ["\n".join(_head(report))]
    room = pages.LIMIT - len(parts[0].encode()) - 200
    in_order = sorted(report["pairs"], key=lambda pair: ORDER.index(pair["verdict"]))
    for number, pair in enumerate(in_order):
        page = f"\n# {markdown(name_of(pair))}\n\n{pages.render(pair)}"
        room -= len(page.encode())
        if room < 0:
            parts.append(f"\n{len(in_order) - number:,} pairs more: {pages.ELSEWHERE}\n")
            break
        parts.append(page)
    return "".join(parts)


def _html(report: Json) -> str:
    from weightbridge.report.render.html.together import render  # and jinja2 with it

    return render(report)


def _comment(report: Json) -> str:
    """Under one mark: the table, and a line for each code of each pair."""
    lines = [comment.mark_of(report.get("config") or "pairs"), *_head(report)]
    for pair in report["pairs"]:
        made = digest(pair)
        if made.groups:
            lines += [f"\n### {markdown(name_of(pair))}\n", *pages.summary_lines(made)]
    return comment.cut("\n".join(lines) + "\n")


def _head(report: Json) -> Iterator[str]:
    yield f"## weightbridge: {report['verdict'].upper()} {markdown(report['command'])}\n"
    yield f"**{markdown(why(report))}** exit {report['exit_code']}.\n"
    yield "| verdict | pair | exact | |"
    yield "|---|---|---:|---|"
    for pair in report["pairs"]:
        made = digest(pair)
        exact = percent(sum(row.fraction for row in made.ledger if row.share == "exact"))
        name = markdown_code(name_of(pair) or "-")
        yield f"| {made.verdict.upper()} | {name} | {exact} | {markdown(made.why, pages.LONGEST)} |"
    yield ""


def _junit(report: Json) -> str:
    return junit.document(
        [(f"weightbridge.{pair['command']}.{name_of(pair)}", pair) for pair in report["pairs"]]
    )


def _github(report: Json) -> str:
    return github.document([(visible(name_of(pair), NAME), pair) for pair in report["pairs"]])


def _sarif(report: Json) -> str:
    found = [
        {**one, "partialFingerprints": {sarif.FINGERPRINT: _of_pair(pair, print)}}
        for pair in report["pairs"]
        for one in sarif.results(pair)
        for print in one["partialFingerprints"].values()
    ]
    return sarif.document(report, comment.plain_name(report.get("config") or "pairs"), found)


def _gitlab(report: Json) -> str:
    found = [
        {**one, "fingerprint": _of_pair(pair, one["fingerprint"])}
        for pair in report["pairs"]
        for one in gitlab.entries(pair)
    ]
    return gitlab.document(found)


def _of_pair(pair: Json, fingerprint: str) -> str:
    """The same finding in two pairs is two."""
    return sha256(f"{name_of(pair)}\0{fingerprint}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


TOGETHER: dict[str, Callable[[Json], str]] = {
    "text": text.render,
    "json": json.render,
    "json:lean": _lean,
    "markdown": _markdown,
    "comment": _comment,
    "html": _html,
    "junit": _junit,
    "github": _github,
    "sarif": _sarif,
    "gitlab": _gitlab,
}
