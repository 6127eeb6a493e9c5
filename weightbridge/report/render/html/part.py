"""One report as a part of a page: from its verdict down to its tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from weightbridge.report.digest import Digest, digest
from weightbridge.report.digest.values import Way
from weightbridge.report.render import fit
from weightbridge.report.render.html import match, rows
from weightbridge.report.render.html.chart import charts
from weightbridge.report.render.html.environment import environment
from weightbridge.report.render.html.model import model_picture
from weightbridge.report.render.html.stage import stages
from weightbridge.report.render.layout import command, shell
from weightbridge.report.words import counted
from weightbridge.views.match.bands import layout
from weightbridge.views.match.matched import matched

Json = Mapping[str, Any]
COLUMNS = 52  # of a command in its card


def part(report: Json, at: str = "") -> Markup:
    """at: what the names of its anchors begin with, where a page has several reports."""
    made, joins = digest(report), matched(report)
    model, flow, families = model_picture(report)
    template = environment().get_template("part.html.j2")
    text = template.render(
        at=at,
        made=made,
        counts=counts_of(made),
        ways=_ways(made),
        asked=_asked(report, made),
        picture=Markup(match.pictures(joins, report)) if joins else "",
        legend=match.legend(joins) if joins else (),
        model=Markup(model),
        flow=flow,
        families=families,
        layered=stages(layout(joins), report) if joins else (),
        chart=Markup(charts(report)),
        fitted=Markup(fit.picture(report)),
        findings=rows.findings(made),
        outputs=rows.outputs(report),
        tensors=rows.tensors(report),
        shares=rows.shares(report),
        stage_shares=rows.stage_shares(report),
        unused=rows.unused(report),
        layers=rows.layers(report),
        excluded=rows.excluded(report),
    )
    return Markup(text)


def _asked(report: Json, made: Digest) -> str:
    """The command with its models, its output where it has one, and its options."""
    output = report["asked"].get("output")
    written = (output,) if isinstance(output, str) else ()
    words = (made.command, *(row.path for row in made.models), *written, *made.asked)
    return " ".join(("weightbridge", *map(shell, words)))


def counts_of(made: Digest) -> str:
    counts: Sequence[str] = [counted(number, key) for key, number in made.counts.items() if number]
    return ", ".join(counts) or "no findings"


def _ways(made: Digest) -> list[tuple[str, list[str]]]:
    """But those that lead to this page."""
    return [(way.purpose, _command(way)) for way in made.ways if not _is_here(way)]


def _is_here(way: Way) -> bool:
    return any(argument.startswith("html=") for argument in way.arguments)


def _command(way: Way) -> list[str]:
    lines = command(way.arguments, COLUMNS, 0)
    return ["".join(text for text, _ in line).rstrip() for line in lines]
